"""Chooses the setting that ranks new queries best, by cross-validation within the training data alone.

The right tree size depends on the number of judgments and is not known in advance. A choice by the queries that a model
is then measured on would bias the measurement; here the choice is part of the training. It also needs queries: with a
hundred, settings differ less than their measurement error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from hybridrank.training.ltr.dataset import RankingData
from hybridrank.training.ltr.ndcg import ndcg
from hybridrank.training.ltr.train import TrainingOptions, hold_out

__all__ = ["Choice", "choose"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen setting with its number of trees, and the mean nDCG@10 of all settings by name."""

    name: str
    options: TrainingOptions
    trees: int
    measured: Mapping[str, float]


def choose(
    data: RankingData, features: Sequence[str], settings: Mapping[str, TrainingOptions], folds: Sequence[Sequence[str]]
) -> Choice:
    """Returns the first setting that is not worse than the best by more than the standard error of their difference.

    The one standard error rule (Breiman et al. 1984), by nDCG@10 over queries, each ranked without its fold. List the
    most regularised setting first: such a small difference is not significant, and that setting errs less. Raises
    TrainingError.
    """
    held = {name: hold_out(data, features, options, folds) for name, options in settings.items()}
    values = {name: ndcg(data, each.scores, k=10) for name, each in held.items()}
    measured = {name: fmean(each.values()) if each else 0.0 for name, each in values.items()}
    best = max(measured, key=lambda name: measured[name])
    name = next(name for name in settings if measured[best] - measured[name] <= _error(values[best], values[name]))
    return Choice(name, settings[name], held[name].trees, measured)


def _error(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Returns the standard error of the mean difference, paired by query."""
    differences = [one[query_id] - other[query_id] for query_id in one]
    return stdev(differences) / sqrt(len(differences)) if len(differences) > 1 else 0.0
