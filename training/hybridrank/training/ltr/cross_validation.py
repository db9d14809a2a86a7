"""Cross-validation by query: a model scores each query without having seen it or a near-equal one."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from random import Random

import numpy as np

from hybridrank.training.ltr.dataset import Matrix, RankingData

__all__ = ["Fit", "Folds", "Score", "cross_validate", "near_equal", "similarity", "split"]

Folds = Sequence[Sequence[str]]
"""The query_ids of each fold."""

Score = Callable[[Matrix], Matrix]
"""Rows (n, f) → scores (n,)."""

Fit = Callable[[RankingData, Folds], Score]
"""Training data and the folds of its queries (for early stopping) → a model."""

NEAR = 0.35  # "battery" and "batteries" share 5 of 11 trigrams, "aa battery" and "batteries" 5 of 14


def similarity(one: str, other: str) -> float:
    """Returns the Jaccard similarity of the character trigrams of two texts, in [0, 1]. Case and marks do not count.

    >>> similarity("Laptop", "laptops")
    0.625
    """
    a, b = _trigrams(one), _trigrams(other)
    return len(a & b) / len(a | b)


def near_equal(queries: Mapping[str, str], threshold: float = NEAR) -> tuple[tuple[str, ...], ...]:
    """Groups query_ids: queries at least as similar as `threshold`, directly or through others, share a group."""
    group = {query_id: [query_id] for query_id in queries}
    trigrams = {query_id: _trigrams(text) for query_id, text in queries.items()}
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for query_id, own in trigrams.items():
        shared = Counter(other for each in own for other in holders[each])
        for other, count in shared.items():
            near = count / (len(own) + len(trigrams[other]) - count) >= threshold
            if near and group[query_id] is not group[other]:
                joined = group[other] + group[query_id]
                group.update(dict.fromkeys(joined, joined))
        for each in own:
            holders[each].append(query_id)
    place = {query_id: number for number, query_id in enumerate(queries)}
    different = {id(each): each for each in group.values()}.values()
    return tuple(tuple(sorted(each, key=place.__getitem__)) for each in different)


def split(groups: Sequence[Sequence[str]], folds: int, seed: int = 17) -> tuple[tuple[str, ...], ...]:
    """Returns folds of about equal size without splitting groups. Large groups come first, each into the smallest fold.

    Raises ValueError if there are fewer groups than folds.
    """
    if folds < 3:
        raise ValueError(
            f"{folds} folds are too few: one is tested on, and of the others each in turn stops the training"
        )
    if len(groups) < folds:
        raise ValueError(f"{folds} folds need as many groups of near-equal queries; groups here: {len(groups)}")
    shuffled = Random(seed).sample(list(groups), len(groups))  # noqa: S311
    found: list[list[str]] = [[] for _ in range(folds)]
    for each in sorted(shuffled, key=len, reverse=True):
        min(found, key=len).extend(each)
    return tuple(map(tuple, found))


def cross_validate(data: RankingData, folds: Folds, fit: Fit, *, on_fold: Callable[[], None] = lambda: None) -> Matrix:
    """Returns (n,) scores: each fold's rows are scored by a model trained on the other folds.

    `fit` gets only judged rows; unjudged rows are also scored, as they are in serving.
    """
    scores = np.full(len(data.rows), np.nan)
    for fold in folds:
        others = [each for each in folds if each is not fold]
        model = fit(data.of({query_id for each in others for query_id in each}).judged(), others)
        tested = data.rows_of(set(fold))
        scores[tested] = model(data.rows[tested])
        on_fold()
    return scores


def _trigrams(text: str) -> set[str]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    words = re.findall(r"\w+", "".join(each for each in plain if not unicodedata.combining(each)))
    padded = f" {' '.join(words)} "
    return {padded[start : start + 3] for start in range(max(1, len(padded) - 2))}
