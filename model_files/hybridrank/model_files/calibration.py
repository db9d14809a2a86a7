"""Calibrations: turn a raw score into the probability, in [0, 1], that the passage is relevant.

calibration.json in a model folder holds one calibration for each precision of the model that it was fitted on, keyed by
digest. It does not change the digest of the model: raw scores, vectors and stored vectors remain valid.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError, model_validator

from hybridrank.common import atomic
from hybridrank.common.error_text import os_problem, wrong_values
from hybridrank.model_files.errors import BadModelFolder

__all__ = ["FILE", "Calibration", "Isotonic", "Temperature", "read", "sigmoid", "write"]

FILE = "calibration.json"

Array = npt.NDArray[np.float64]
Probability = Annotated[float, Field(ge=0, le=1)]


class _Fitted(BaseModel):
    """Fields of every calibration: `measured` is for readers only and is not part of the digest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    measured: Mapping[str, Any] = {}

    @property
    def digest(self) -> str:
        """SHA-256 over the fields that decide the output."""
        decides = self.model_dump(mode="json", exclude={"measured"})
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


class Temperature(_Fitted):
    """Temperature scaling with a bias (Platt 1999; Guo et al., ICML 2017): sigmoid(slope × raw + intercept).

    The slope is one over the temperature. It is above 0, so the order of scores does not change.
    """

    method: Literal["temperature"] = "temperature"
    slope: Annotated[FiniteFloat, Field(gt=0)]
    intercept: FiniteFloat

    def probabilities(self, raw: Array) -> Array:
        """Takes (n,) raw scores; a higher raw score never gets a lower probability."""
        return sigmoid(self.slope * raw + self.intercept)


class Isotonic(_Fitted):
    """Isotonic regression (Zadrozny & Elkan, KDD 2002): straight lines between rising points, constant outside them."""

    method: Literal["isotonic"] = "isotonic"
    raw_scores: Annotated[tuple[FiniteFloat, ...], Field(min_length=1)]
    values: Annotated[tuple[Probability, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _rises(self) -> "Isotonic":
        if len(self.raw_scores) != len(self.values):
            raise ValueError("each raw score needs one value")
        if np.any(np.diff(self.raw_scores) <= 0) or np.any(np.diff(self.values) < 0):
            raise ValueError("raw scores must rise, and values must not fall")
        return self

    def probabilities(self, raw: Array) -> Array:
        """Takes (n,) raw scores; a higher raw score never gets a lower probability, and often gets the same one."""
        values = np.array(self.values)
        next_point = np.minimum(np.searchsorted(self.raw_scores, raw, side="right"), len(values) - 1)
        # Rounding may lift the end of a line slightly above the point where the next line begins.
        return np.asarray(np.minimum(np.interp(raw, self.raw_scores, values), values[next_point]))


Calibration = Temperature | Isotonic
_FILE: TypeAdapter[dict[str, Calibration]] = TypeAdapter(
    dict[str, Annotated[Calibration, Field(discriminator="method")]]
)


def read(folder: Path) -> dict[str, Calibration]:
    """Returns the calibrations of a model folder, keyed by the digest of each precision; empty if there is no file.

    Raises BadModelFolder.
    """
    try:
        return _FILE.validate_json((folder / FILE).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        problem = os_problem(error) if isinstance(error, OSError) else wrong_values(error.errors()[:1])
        raise BadModelFolder(folder, f"{FILE}: {problem}; calibrate the model again, or remove the file") from error


def write(folder: Path, calibrations: Mapping[str, Calibration]) -> None:
    """Writes calibration.json in one step: a sidecar that watches the folder sees either the old file or this one."""
    text = json.dumps({digest: each.model_dump(mode="json") for digest, each in calibrations.items()}, indent=1)
    atomic.write_text(folder / FILE, text + "\n")


def sigmoid(raw: Array) -> Array:
    """1 / (1 + exp(-raw)), written so that no exponential overflows."""
    return np.asarray(0.5 * (1 + np.tanh(raw / 2)))
