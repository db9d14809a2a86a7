"""Golden pairs: fp32 scores from the machine that exported the model, to compare with the scores on this machine."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from hybridrank.common.error_text import wrong_values
from hybridrank.model_files.errors import BadModelFolder

__all__ = ["FILE", "GoldenPairs", "Verdict", "compare", "read", "write"]

FILE = "selftest.json"
TOP_K = 3
# In standard deviations of the fp32 scores, a unit that every model has. The shipped int8 models deviate by up to .35
# (logits) and .10 (cosines), and swap no pair that is further apart than .06 (docs/models.md, "Self-test").
NEAR_TIE = 0.5
NOTICEABLE = 0.5
LARGEST = 1.0
USABLE_SWAPS = 0.05  # share of the compared pairs


class GoldenPairs(BaseModel):
    """A query, its passages, and their fp32 scores: relevance scores and, for an encoder, also cosines."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query: Annotated[str, Field(min_length=1)]
    passages: Annotated[tuple[str, ...], Field(min_length=2)]
    relevance_scores: tuple[float, ...]
    cosines: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _a_score_each(self) -> "GoldenPairs":
        for scores in (self.relevance_scores, self.cosines):
            if scores is not None and (len(scores) != len(self.passages) or not np.isfinite(scores).all()):
                raise ValueError("each passage needs one finite score")
        return self


@dataclass(frozen=True)
class Verdict:
    """Compared pairs (one in the top 3, no near ties), swaps, and the largest deviation in standard deviations."""

    pairs: int
    swaps: int
    deviation: float

    @property
    def within(self) -> bool:
        """True if it can replace the reference: no pair swapped, and scores of about the same size."""
        return not self.problem()

    @property
    def usable(self) -> bool:
        """True if it may serve when nothing better does: few pairs swapped, as with coarse quantisation."""
        return not self.problem(self.usable_swaps)

    @property
    def usable_swaps(self) -> int:
        """The number of pairs that may swap when nothing better serves."""
        return int(USABLE_SWAPS * self.pairs)

    def problem(self, most_swaps: int = 0) -> str:
        """Returns the reason to refuse it: the order of its scores, then their size; empty if both are acceptable."""
        if self.swaps > most_swaps:
            return f"{self.swaps} of {self.pairs} golden pairs swapped, {most_swaps or 'none'} may ({self._size})"
        if not self.deviation <= LARGEST:
            return (
                f"it ranks well enough, {self.swaps} of {self.pairs} golden pairs swapped, but {self._size}, and"
                f" {LARGEST:g} is the limit: were its prefixes, pooling or tokenizer changed?"
            )
        return ""

    @property
    def remark(self) -> str:
        """Returns a remark for an accepted model that differs; empty if a caller would not notice the difference."""
        if self.swaps:
            return f"{self.swaps} of {self.pairs} golden pairs swapped ({self._size})"
        if self.deviation > NOTICEABLE:
            return (
                f"it ranks alike, 0 of {self.pairs} golden pairs swapped, but {self._size}: a min_score that was chosen"
                " for another precision means something else here"
            )
        return ""

    @property
    def _size(self) -> str:
        return f"scores moved by up to {self.deviation:.2f} standard deviations"

    def __add__(self, other: "Verdict") -> "Verdict":
        """Combines both: sums pairs and swaps, keeps the larger deviation."""
        return Verdict(self.pairs + other.pairs, self.swaps + other.swaps, max(self.deviation, other.deviation))


def compare(wanted: Sequence[Sequence[float]], found: Sequence[Sequence[float]]) -> Verdict:
    """Compares two tables of scores, one row per query: the reference and the computed scores.

    A pair is two passages of a query: at least one is in the reference's top 3, and their reference scores are further
    apart than a near tie. Equal scores count as swapped. NaN anywhere in `found` is an infinite deviation.

    >>> compare([[3.0, 1.0, -1.0, -3.0]], [[2.5, 1.0, -3.0, -1.0]])
    Verdict(pairs=6, swaps=1, deviation=0.894427190999916)
    """
    spread = float(np.std(np.concatenate([np.asarray(row, dtype=np.float64) for row in wanted]))) or 1.0
    verdicts = [
        _compare_row(np.asarray(a) / spread, np.asarray(b) / spread) for a, b in zip(wanted, found, strict=True)
    ]
    return sum(verdicts, Verdict(0, 0, 0.0))


def _compare_row(wanted: npt.NDArray[np.float64], found: npt.NDArray[np.float64]) -> Verdict:
    order = np.argsort(-wanted, kind="stable")
    pairs = [
        (high, low)
        for place, high in enumerate(order[:TOP_K])
        for low in order[place + 1 :]
        if wanted[high] - wanted[low] > NEAR_TIE
    ]
    swaps = sum(not found[high] > found[low] for high, low in pairs)
    deviation = float(np.abs(wanted - found).max()) if np.isfinite(found).all() else float("inf")
    return Verdict(len(pairs), swaps, deviation)


def read(folder: Path) -> tuple[GoldenPairs, ...]:
    """Returns the golden pairs of a folder; empty without a selftest.json. Raises BadModelFolder for an invalid one."""
    if not (folder / FILE).is_file():
        return ()
    try:
        found = TypeAdapter(tuple[GoldenPairs, ...]).validate_json((folder / FILE).read_bytes())
    except ValidationError as error:
        raise BadModelFolder(folder, f"{FILE}: {wrong_values(error.errors(include_input=False))}") from error
    if not found:
        raise BadModelFolder(folder, f"{FILE} holds no pairs")
    return found


def write(folder: Path, golden: Sequence[GoldenPairs]) -> None:
    """Writes selftest.json, with scores to four decimals."""
    rows = [each.model_dump(exclude_none=True) for each in golden]
    for row in rows:
        for name in row.keys() & {"relevance_scores", "cosines"}:
            row[name] = [round(score, 4) for score in row[name]]
    (folder / FILE).write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
