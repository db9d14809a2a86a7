"""Rank-biased overlap: how alike two rankings are, the top counting most, without any judgments."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import fsum

__all__ = ["PERSISTENCE", "mean_overlaps", "rank_biased_overlap"]

PERSISTENCE = 0.9  # the first ten ranks then carry 86 % of the weight, as the paper has it


def rank_biased_overlap(one: Sequence[str], other: Sequence[str], p: float = PERSISTENCE) -> float:
    """RBO_ext of two rankings of distinct ids, best first, in [0, 1] (Webber, Moffat & Zobel, TOIS 2010, equation 32).

    Somebody compares the rankings to depth d and goes on to d + 1 with probability `p`; the agreement at depth d is
    the share of the first d that both have. Where the shorter one, of length s, ends, it is taken to go on agreeing as
    it did: agreement(d) = (overlap(d) + overlap(s) (d - s) / s) / d, and below the longer one, of length l, agreement
    stays as it is. So RBO_ext = (1 - p) Σ p^(d - 1) agreement(d) for d = 1 … l, + p^l agreement(l). A ranking that
    the other only continues has 1. Two empty rankings have 1, an empty and another one 0. Raises ValueError unless
    0 < p < 1.

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
    """For each two runs (name → query_id → doc_ids) the mean RBO over the queries, of which there is at least one.

    A query that a run lacks has an empty ranking there.

    >>> mean_overlaps({"bm25": {"q": ["a", "b"]}, "knn": {"q": ["c"]}}, ["q"])
    {'bm25': {'bm25': 1.0, 'knn': 0.0}, 'knn': {'bm25': 0.0, 'knn': 1.0}}
    """
    means = {name: dict.fromkeys(runs, 1.0) for name in runs}
    for (a, one), (b, other) in combinations(runs.items(), 2):
        overlaps = [rank_biased_overlap(one.get(each, ()), other.get(each, ()), p) for each in query_ids]
        means[a][b] = means[b][a] = fsum(overlaps) / len(overlaps)
    return means
