"""Calibrations: what makes a raw score the chance, in [0, 1], that a passage scored so is relevant.

calibration.json in a model folder holds one for each of the model's precisions that it was fitted on, by their digests.
The digest of the model is not changed by it: raw scores, vectors and what is stored of them stay what they are.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError, model_validator

from hybridrank.common.error_text import os_problem, wrong_values
from hybridrank.sidecar.errors import BadModelFolder

__all__ = ["FILE", "Calibration", "Isotonic", "Temperature", "read", "sigmoid", "write"]

FILE = "calibration.json"

Array = npt.NDArray[np.float64]
Probability = Annotated[float, Field(ge=0, le=1)]


class _Fitted(BaseModel):
    """What any calibration says of itself: `measured` is for readers, and has no part in the digest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    measured: Mapping[str, Any] = {}

    @property
    def digest(self) -> str:
        """SHA-256 over what decides its output."""
        decides = self.model_dump(mode="json", exclude={"measured"})
        return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


class Temperature(_Fitted):
    """Temperature scaling with a bias (Platt 1999; Guo et al., ICML 2017): sigmoid(slope × raw + intercept).

    The slope is one over the temperature, and above 0, so that no order changes.
    """

    method: Literal["temperature"] = "temperature"
    slope: Annotated[FiniteFloat, Field(gt=0)]
    intercept: FiniteFloat

    def probabilities(self, raw: Array) -> Array:
        """Of (n,) raw scores; never less for a higher one."""
        return sigmoid(self.slope * raw + self.intercept)


class Isotonic(_Fitted):
    """Isotonic regression (Zadrozny & Elkan, KDD 2002): straight lines between points that rise, level beyond them."""

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
        """Of (n,) raw scores; never less for a higher one, and often the same."""
        values = np.array(self.values)
        next_point = np.minimum(np.searchsorted(self.raw_scores, raw, side="right"), len(values) - 1)
        # A line may end a rounding above the point that it leads to, which the next line begins at.
        return np.asarray(np.minimum(np.interp(raw, self.raw_scores, values), values[next_point]))


Calibration = Temperature | Isotonic
_FILE: TypeAdapter[dict[str, Calibration]] = TypeAdapter(
    dict[str, Annotated[Calibration, Field(discriminator="method")]]
)


def read(folder: Path) -> dict[str, Calibration]:
    """The calibrations of a model folder by the digest of the model at a precision; none where it has no file.

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
    """Write calibration.json, in one step: a sidecar that watches the folder finds this file or the one before."""
    text = json.dumps({digest: each.model_dump(mode="json") for digest, each in calibrations.items()}, indent=1)
    beside = folder / f".{FILE}"
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(folder / FILE)


def sigmoid(raw: Array) -> Array:
    """1 / (1 + exp(-raw)), written so that no exponential overflows."""
    return np.asarray(0.5 * (1 + np.tanh(raw / 2)))
