"""Fits a calibration of raw scores on judged candidates: temperature scaling or isotonic regression.

Probabilities are unbiased only for pairs that the fit has not seen, so they are measured by cross-fitting: the queries
are split into folds, and a fit on the other folds gives the probabilities of each fold's pairs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hybridrank.common.errors import HybridrankError
from hybridrank.model_files.calibration import Calibration, Isotonic, Temperature, sigmoid

__all__ = [
    "FITS",
    "FOLDS",
    "JudgedScores",
    "Method",
    "NotCalibratable",
    "cross_fitted",
    "fit_isotonic",
    "fit_temperature",
]

Method = Literal["temperature", "isotonic"]
Floats = npt.NDArray[np.float64]
FOLDS = 5
SEED = 13


class NotCalibratable(HybridrankError, ValueError):
    """The scores are not informative of relevance, or too few were judged; the message says which."""


@dataclass(frozen=True)
class JudgedScores:
    """For n pairs: raw scores (n,), relevance (n,), and query numbers (n,)."""

    raw: Floats
    relevant: npt.NDArray[np.bool_]
    query: npt.NDArray[np.int64]

    def of(self, kept: npt.NDArray[np.bool_]) -> "JudgedScores":
        """Returns the pairs that are `kept` (n,)."""
        return JudgedScores(self.raw[kept], self.relevant[kept], self.query[kept])


def fit_temperature(pairs: JudgedScores) -> Temperature:
    """Returns the slope and intercept of minimum log loss, with targets moved away from 0 and 1 as Platt did.

    The targets are (relevant + 1) / (relevant + 2) and 1 / (others + 2), so that scores which separate the two classes
    do not make the slope infinite (Lin, Lin & Weng, Machine Learning 2007). Raises NotCalibratable.
    """
    _require_both(pairs)
    centre, spread = pairs.raw.mean(), pairs.raw.std()
    if not spread:
        raise NotCalibratable("every score is the same")
    scaled = (pairs.raw - centre) / spread
    relevant = int(pairs.relevant.sum())
    targets = np.where(pairs.relevant, (relevant + 1) / (relevant + 2), 1 / (len(scaled) - relevant + 2))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        logits = parameters[0] * scaled + parameters[1]
        error = sigmoid(logits) - targets
        total = np.logaddexp(0, logits) - targets * logits
        return float(total.mean()), np.array([(error * scaled).mean(), error.mean()])

    slope, intercept = _optimize().minimize(loss, np.array([1.0, 0.0]), jac=True, method="BFGS").x
    if slope <= 0:
        raise NotCalibratable("higher scores are not more often relevant")
    return Temperature(slope=slope / spread, intercept=intercept - slope * centre / spread)


def fit_isotonic(pairs: JudgedScores) -> Isotonic:
    """Fits the non-decreasing shares with the least squared error to relevance, by pool adjacent violators.

    Equal scores have one share. Both ends of each constant segment are kept. Raises NotCalibratable.
    """
    _require_both(pairs)
    raw, place, counts = np.unique(pairs.raw, return_inverse=True, return_counts=True)
    shares = np.bincount(place, weights=pairs.relevant) / counts
    found = _optimize().isotonic_regression(shares, weights=counts.astype(np.float64))
    values = np.clip(found.x, 0, 1)
    if values[0] == values[-1]:
        raise NotCalibratable("higher scores are not more often relevant")
    ends = np.unique(np.concatenate([found.blocks[:-1], found.blocks[1:] - 1]))
    return Isotonic(raw_scores=tuple(raw[ends].tolist()), values=tuple(values[ends].tolist()))


FITS: Mapping[Method, Callable[[JudgedScores], Calibration]] = {
    "temperature": fit_temperature,
    "isotonic": fit_isotonic,
}


def cross_fitted(pairs: JudgedScores, method: Method, *, folds: int = FOLDS, seed: int = SEED) -> Floats:
    """Returns the probability (n,) of each pair, by a fit on other queries, which are split into at most `folds`.

    Raises NotCalibratable, also if a fit on fewer queries is not possible.
    """
    queries = np.unique(pairs.query)
    if len(queries) < 2:
        raise NotCalibratable("cross-fitting needs candidates of two queries or more")
    dealt = np.array_split(np.random.default_rng(seed).permutation(queries), min(folds, len(queries)))
    chances = np.full(len(pairs.raw), np.nan)
    for fold in dealt:
        held_out = np.isin(pairs.query, fold)
        chances[held_out] = FITS[method](pairs.of(~held_out)).probabilities(pairs.raw[held_out])
    return chances


def _optimize() -> Any:
    try:
        from scipy import optimize
    except ImportError as error:
        raise ImportError(f"calibrating a model needs {error.name}: pip install 'hybridrank[eval]'") from error
    return optimize


def _require_both(pairs: JudgedScores) -> None:
    relevant = int(pairs.relevant.sum())
    if not 0 < relevant < len(pairs.relevant):
        raise NotCalibratable(f"relevant pairs: {relevant} of {len(pairs.relevant)}; there must be some of both kinds")
