"""Calibration error: expected calibration error, Brier score, and their bins."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = ["BINS", "Bin", "Binning", "bins_of", "brier_score", "expected_calibration_error"]

Binning = Literal["mass", "width"]
BINS = 15  # as in Guo et al., ICML 2017


@dataclass(frozen=True)
class Bin:
    """The number of pairs, their mean probability, and the share of them that is relevant."""

    count: int
    chance: float
    relevant: float


def bins_of(
    chances: npt.ArrayLike, relevant: npt.ArrayLike, binning: Binning = "mass", bins: int = BINS
) -> tuple[Bin, ...]:
    """Returns the non-empty bins, by rising probability; `chances` in [0, 1] and `relevant` are (n,).

    By "mass" each bin holds equally many pairs, or one more; pairs with equal probability each count with their average
    relevance, so that the order of the pairs changes nothing. By "width" each spans 1 / `bins`, including its upper
    end.
    """
    values, place = np.unique(np.asarray(chances, dtype=np.float64), return_inverse=True)
    counts = np.bincount(place)
    shares = (np.bincount(place, weights=np.asarray(relevant, dtype=np.float64)) / counts)[place]
    order = np.argsort(place, kind="stable")
    chance, share = values[place][order], shares[order]
    if binning == "mass":
        cuts = np.linspace(0, len(order), bins + 1).round().astype(int)[1:-1]
    else:
        cuts = np.searchsorted(chance, np.arange(1, bins) / bins, side="right")
    parts = zip(np.split(chance, cuts), np.split(share, cuts), strict=True)
    return tuple(Bin(len(each), float(each.mean()), float(came.mean())) for each, came in parts if len(each))


def expected_calibration_error(
    chances: npt.ArrayLike, relevant: npt.ArrayLike, binning: Binning = "mass", bins: int = BINS
) -> float:
    """Returns the mean over pairs of |probability − share| of their bin (Naeini et al., AAAI 2015), in [0, 1].

    >>> expected_calibration_error([0.1, 0.1, 0.9, 0.9], [0, 0, 1, 0], bins=2)
    0.25
    """
    found = bins_of(chances, relevant, binning, bins)
    total = sum(each.count for each in found)
    return float(sum(each.count * abs(each.chance - each.relevant) for each in found) / total)


def brier_score(chances: npt.ArrayLike, relevant: npt.ArrayLike) -> float:
    """Returns the mean squared difference between probability and outcome (Brier 1950), in [0, 1].

    >>> brier_score([0.5, 1.0], [1, 1])
    0.125
    """
    return float(np.mean((np.asarray(chances, dtype=np.float64) - np.asarray(relevant, dtype=np.float64)) ** 2))
