"""Compares a model folder with what it was made from: scores of twenty pairs, their order, and speed."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from hybridrank.model_files import model_folder, self_test
from hybridrank.sidecar import in_process
from hybridrank.sidecar.in_process import LoadedModel, OpenSession
from hybridrank.training.onnx.golden_pairs import GOLDEN_PAIRS

__all__ = ["PAIRS", "Computed", "checked", "spearman"]

PAIRS: tuple[tuple[str, tuple[str, ...]], ...] = tuple((query, passages[:5]) for query, passages in GOLDEN_PAIRS[:4])
LARGEST = 1e-3  # of a score of the original, that fp32 may differ by; a larger one is another model
RUNS, BUDGET_S = 5, 10.0  # of all pairs, to measure the speed


@dataclass(frozen=True)
class Computed:
    """Scores of the pairs by one computation, beside those of another; `of_pairs` are those apart by no near tie."""

    what: str
    pairs_per_s: float
    beside: str = ""
    difference: float = 0.0
    spearman: float = 1.0
    swaps: int = 0
    of_pairs: int = 0

    @property
    def same(self) -> bool:
        """True if the scores are those of the same model at the same precision."""
        return self.difference <= LARGEST


def checked(folder: Path, original: str, open_original: OpenSession, done: Callable[[int], None]) -> list[Computed]:
    """Returns the original first, then each precision: fp32 beside the original, int8 beside fp32 where it is.

    All are computed by the sidecar's own reranker of the folder, on one thread of this machine; for the original,
    `open_original` opens what runs in place of the graph. `done` is called with 1 after each of them.
    """
    read = model_folder.read(folder)
    precisions: list[Literal["fp32", "int8"]] = [
        each for each in ("fp32", "int8") if each in {held.toml.precision for held in (read, read.fp32) if held}
    ]
    with in_process.computed_by(open_original):
        model = in_process.load_untested(folder, precisions[0])
    scores = {original: _scores(model)}
    rows = [Computed(original, _pairs_per_s(model))]
    done(1)
    for precision in precisions:
        model, beside = in_process.load_untested(folder, precision), rows[-1].what
        scores[precision] = _scores(model)
        rows.append(_beside(beside, scores[beside], precision, scores[precision], _pairs_per_s(model)))
        done(1)
    return rows


def _scores(model: LoadedModel) -> list[list[float]]:
    """Returns a row of scores for each query: cosines of an encoder's vectors, else relevance scores."""
    if model.encoder:
        return [in_process.cosines(model.encoder, query, passages) for query, passages in PAIRS]
    return [list(model.reranker.relevance_scores(query, passages)) for query, passages in PAIRS]


def _pairs_per_s(model: LoadedModel) -> float:
    times: list[float] = []
    while len(times) < RUNS and sum(times) < BUDGET_S:
        started = time.perf_counter()
        _scores(model)
        times.append(time.perf_counter() - started)
    return sum(len(passages) for _, passages in PAIRS) / statistics.median(times)


def _beside(
    beside: str, wanted: Sequence[Sequence[float]], what: str, found: Sequence[Sequence[float]], pairs_per_s: float
) -> Computed:
    verdict = self_test.compare(wanted, found)
    flat, other = np.concatenate([*map(np.asarray, wanted)]), np.concatenate([*map(np.asarray, found)])
    difference = float(np.abs(flat - other).max())
    return Computed(what, pairs_per_s, beside, difference, spearman(flat, other), verdict.swaps, verdict.pairs)


def spearman(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Returns the correlation of ranks, which ties share.

    >>> spearman([1.0, 2.0, 3.0], [10.0, 30.0, 20.0])
    0.5
    """
    return round(float(np.corrcoef(_ranks(a), _ranks(b))[0, 1]), 6)


def _ranks(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    ordered = np.sort(values)
    below, up_to = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return (below + up_to) / 2
