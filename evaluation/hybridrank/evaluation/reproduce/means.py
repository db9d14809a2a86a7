"""Means over collections, by what the models had seen of them in training, with a paired test over all queries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hybridrank.evaluation.experiments.results import ExperimentResult
from hybridrank.evaluation.measures.significance import Comparison, compare
from hybridrank.evaluation.reproduce.outcomes import Outcome

__all__ = ["Means", "means_by_training"]


@dataclass(frozen=True, slots=True)
class Means:
    """Mean nDCG@10 of each pipeline over experiments of equal weight; `versus` is by pipeline, then by baseline."""

    training: str
    experiments: tuple[str, ...]
    queries: int
    baselines: tuple[str, ...]
    pipelines: Mapping[str, float]
    versus: Mapping[str, Mapping[str, Comparison]]


def means_by_training(outcomes: Sequence[Outcome]) -> list[Means]:
    """Returns the means of experiments with the same `training`, of the pipelines and baselines that all have.

    Experiments that have no pipeline in common have no means.
    """
    groups: dict[str, dict[str, ExperimentResult]] = {}
    for each in outcomes:
        if each.result:
            groups.setdefault(each.experiment.training, {})[each.experiment.name] = each.result
    shared = {training: _shared([each.pipelines for each in results.values()]) for training, results in groups.items()}
    return [_means(training, results, shared[training]) for training, results in groups.items() if shared[training]]


def _shared(names: Sequence[Iterable[str]]) -> list[str]:
    first, *others = map(list, names)
    return [name for name in first if all(name in each for each in others)]


def _means(training: str, results: Mapping[str, ExperimentResult], pipelines: Sequence[str]) -> Means:
    baselines = _shared([each.baselines for each in results.values()])
    values = {pipeline: _weighted(results, pipeline) for pipeline in pipelines}
    queries = len(values[pipelines[0]])
    versus: dict[str, dict[str, Comparison]] = {}
    for baseline in baselines:
        others_values = {name: each for name, each in values.items() if name != baseline}
        for name, found in compare(values[baseline], others_values).items():
            versus.setdefault(name, {})[baseline] = found
    means = {name: sum(each.values()) / queries for name, each in values.items()}
    return Means(training, tuple(results), queries, tuple(baselines), means, versus)


def _weighted(results: Mapping[str, ExperimentResult], pipeline: str) -> dict[str, float]:
    """Returns the values of all queries, scaled so that their mean is the mean of the experiments' means."""
    found = {name: each.by_query(pipeline) for name, each in results.items()}
    share = sum(map(len, found.values())) / len(found)
    return {
        f"{name} {query_id}": value * share / len(values)
        for name, values in found.items()
        for query_id, value in values.items()
    }
