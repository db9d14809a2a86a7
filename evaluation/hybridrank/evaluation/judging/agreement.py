"""Agreement of judges beyond chance: Cohen's kappa for two, Krippendorff's alpha for any number.

Both compare the observed disagreement on documents with the disagreement of random grades. They are 1 for full
agreement, 0 for chance, and below 0 for less than chance. Both are computed from counts that add up over documents, so
queries can be resampled without counting again.

- kappa (Cohen 1960) is for two judges, each with their own distribution of grades. Weighted (Cohen 1968), a difference
  of two grades counts twice (linear) or four times (quadratic) as much as a difference of one.
- alpha (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability") is for any number of judges, who need not all
  judge every document. Nominal grades are equal or not; ordinal grades have an order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Agreement", "Counts", "Level", "Weights", "alpha", "coincidences", "confusion", "estimate", "kappa"]

Weights: TypeAlias = Literal["none", "linear", "quadratic"]
Level: TypeAlias = Literal["nominal", "ordinal"]
Counts: TypeAlias = NDArray[np.float64]

RESAMPLES = 2_000
SEED = 20_121  # fixed, so that the same judgments always give the same interval


@dataclass(frozen=True, slots=True)
class Agreement:
    """A value and its 95 % interval over samples of queries; NaN if not defined."""

    value: float
    low: float
    high: float


def confusion(pairs: Iterable[tuple[int, int]], grades: Sequence[int]) -> Counts:
    """Counts the first judge's grade (row) against the second judge's (column): (k, k) in the order of `grades`.

    >>> confusion([(0, 0), (0, 2), (2, 2)], [0, 2]).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    place = {grade: number for number, grade in enumerate(grades)}
    counts = np.zeros((len(grades), len(grades)))
    for first, second in pairs:
        counts[place[first], place[second]] += 1
    return counts


def coincidences(documents: Iterable[Sequence[int]], grades: Sequence[int]) -> Counts:
    """Returns Krippendorff's matrix (k, k) of documents, each with the grades from two or more judges.

    Every ordered pair of a document's m grades counts 1 / (m - 1), so a document counts m. A document with a single
    grade counts nothing, because there is nothing to compare.
    """
    place = {grade: number for number, grade in enumerate(grades)}
    counts = np.zeros((len(grades), len(grades)))
    for given in documents:
        tally = np.bincount([place[grade] for grade in given], minlength=len(grades)).astype(np.float64)
        if len(given) > 1:
            counts += (np.outer(tally, tally) - np.diag(tally)) / (len(given) - 1)
    return counts


def kappa(counts: Counts, weights: Weights = "none") -> float:
    """Returns Cohen's kappa of a confusion matrix; NaN if both gave only one grade, as chance agreement is 1 then.

    >>> round(kappa(np.array([[20.0, 5.0], [10.0, 15.0]])), 3)
    0.4
    """
    apart = np.abs(np.subtract.outer(np.arange(len(counts)), np.arange(len(counts)))).astype(np.float64)
    cost = {"none": (apart > 0).astype(np.float64), "linear": apart, "quadratic": apart**2}[weights]
    by_chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / max(counts.sum(), 1)
    return _beyond_chance((cost * counts).sum(), (cost * by_chance).sum())


def alpha(counts: Counts, level: Level = "ordinal") -> float:
    """Returns Krippendorff's alpha of a coincidence matrix; NaN if all grades are the same."""
    given = counts.sum(axis=0)
    total = given.sum()
    if level == "nominal":
        distance = 1.0 - np.eye(len(given))
    else:  # the squared count of grades between the two, plus half of the counts at both ends
        middles = np.cumsum(given) - given / 2
        distance = np.subtract.outer(middles, middles) ** 2
    by_chance = (np.outer(given, given) - np.diag(given)) / max(total - 1, 1)
    return _beyond_chance((distance * counts).sum(), (distance * by_chance).sum())


def estimate(by_query: Mapping[str, Counts], statistic: Callable[[Counts], float]) -> Agreement:
    """Applies the statistic to all queries (query_id → counts), with a 95 % bootstrap interval over queries.

    Judgments of one query resemble each other, so whole queries are sampled. Fewer than two queries give no interval.
    """
    blocks = np.stack([by_query[query_id] for query_id in sorted(by_query)])
    value = statistic(blocks.sum(axis=0))
    if len(blocks) < 2:
        return Agreement(value, np.nan, np.nan)
    generator = np.random.default_rng(SEED)
    drawn = generator.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), size=RESAMPLES)
    resampled = np.array([statistic(np.tensordot(times, blocks, axes=1)) for times in drawn.astype(np.float64)])
    known = resampled[~np.isnan(resampled)]
    if not len(known):
        return Agreement(value, np.nan, np.nan)
    low, high = np.percentile(known, [2.5, 97.5])
    return Agreement(value, float(low), float(high))


def _beyond_chance(observed: float, by_chance: float) -> float:
    return float(1 - observed / by_chance) if by_chance > 0 else float("nan")
