"""Rank-biased overlap: top-weighted similarity of two rankings, without judgments."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import fsum

__all__ = ["PERSISTENCE", "mean_overlaps", "rank_biased_overlap"]

PERSISTENCE = 0.9  # the first ten ranks then carry 86 % of the weight, as in the paper


def rank_biased_overlap(one: Sequence[str], other: Sequence[str], p: float = PERSISTENCE) -> float:
    """RBO_ext of two rankings of distinct ids, best first, in [0, 1] (Webber, Moffat & Zobel, TOIS 2010, equation 32).

    A user compares the rankings to depth d and continues to d + 1 with probability `p`; the agreement at depth d is the
    share of the first d that both have. Below the end of the shorter ranking, of length s, its agreement is
    extrapolated: agreement(d) = (overlap(d) + overlap(s) (d - s) / s) / d, and below the longer one, of length l,
    agreement stays constant. So RBO_ext = (1 - p) Σ p^(d - 1) agreement(d) for d = 1 … l, + p^l agreement(l). A ranking
    and its continuation have 1. Two empty rankings have 1, an empty and a non-empty one 0. Raises ValueError unless 0 <
    p < 1.

    >>> rank_biased_overlap("abc", "bac", p=0.5)  # agreement 0, 1, 1: 1/4 + 1/8 + 1/8 below
    0.5
    >>> rank_biased_overlap("a", "ba", p=0.5)  # agreement 0, 1/2: 1/8 + 1/8 below
    0.25
    """
    if not 0 < p < 1:
        raise ValueError(f"p is {p}; it lies between 0 and 1, both excluded")
    short, long = sorted((one, other), key=len)
    if not short:
        return 0.0 if long else 1.0
    in_short: set[str] = set()
    in_long: set[str] = set()
    overlap, at_its_end, agreement = 0, 0, 0.0
    shares = []
    for depth, doc_id in enumerate(long, start=1):
        in_long.add(doc_id)
        overlap += doc_id in in_short
        if depth <= len(short):
            in_short.add(short[depth - 1])
            overlap += short[depth - 1] in in_long
            at_its_end = overlap
        agreement = (overlap + at_its_end * max(0, depth - len(short)) / len(short)) / depth
        shares.append(p ** (depth - 1) * agreement)
    return min(1.0, (1 - p) * fsum(shares) + p ** len(long) * agreement)


def mean_overlaps(
    runs: Mapping[str, Mapping[str, Sequence[str]]], query_ids: Sequence[str], p: float = PERSISTENCE
) -> dict[str, dict[str, float]]:
    """Returns the mean RBO of each two runs (name → query_id → doc_ids) over the queries, at least one.

    A query that is missing from a run has an empty ranking.

    >>> mean_overlaps({"bm25": {"q": ["a", "b"]}, "knn": {"q": ["c"]}}, ["q"])
    {'bm25': {'bm25': 1.0, 'knn': 0.0}, 'knn': {'bm25': 0.0, 'knn': 1.0}}
    """
    means = {name: dict.fromkeys(runs, 1.0) for name in runs}
    for (a, one), (b, other) in combinations(runs.items(), 2):
        overlaps = [rank_biased_overlap(one.get(each, ()), other.get(each, ()), p) for each in query_ids]
        means[a][b] = means[b][a] = fsum(overlaps) / len(overlaps)
    return means
