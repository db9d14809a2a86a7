"""nDCG over scored rows: gain by grade, discount by rank."""

from collections.abc import Sequence

import numpy as np

from hybridrank.training.ltr.dataset import Grades, Matrix, RankingData

__all__ = ["dcg", "exponential_gain", "linear_gain", "ndcg"]

GRADES = 31  # LightGBM's own limit


def linear_gain() -> tuple[float, ...]:
    """Returns the grade itself, for g from 0 on, as in trec_eval, BEIR and `hybridrank.evaluation.measures.standard`.

    >>> linear_gain()[:4]
    (0.0, 1.0, 2.0, 3.0)
    """
    return tuple(float(grade) for grade in range(GRADES))


def exponential_gain() -> tuple[float, ...]:
    """Returns 2^g − 1 for g from 0 on (Burges et al., ICML 2005), LightGBM's default.

    >>> exponential_gain()[:4]
    (0.0, 1.0, 3.0, 7.0)
    """
    return tuple(2.0**grade - 1 for grade in range(GRADES))


def dcg(grades: Grades, k: int, label_gain: Sequence[float]) -> float:
    """Returns the sum over the first k of gain / log2(rank + 1), for grades in the order of the ranking.

    >>> round(dcg(np.array([1, 0, 2]), 10, exponential_gain()), 3)
    2.5
    """
    gains = np.asarray(label_gain)[grades[:k]]
    return float((gains / np.log2(np.arange(2, len(gains) + 2))).sum())


def ndcg(data: RankingData, scores: Matrix, *, k: int, label_gain: Sequence[float] | None = None) -> dict[str, float]:
    """Returns DCG divided by that of the best order of the same rows, in [0, 1], for queries with a grade above 0.

    `scores` (n,) sort the rows; ties keep row order. All rows must be judged. The gain is the grade itself unless
    `label_gain` is given. LightGBM's own mean counts a query without such a grade as 1; here it is left out.
    """
    gain = linear_gain() if label_gain is None else label_gain
    values = {}
    for query_id, place in data.groups():
        grades = data.grades[place]
        if ideal := dcg(-np.sort(-grades), k, gain):
            values[query_id] = dcg(grades[np.argsort(-scores[place], kind="stable")], k, gain) / ideal
    return values
