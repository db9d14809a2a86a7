"""Tuning: tries configurations on dev, and takes the best only if it is better than the default there.

The best of many is partly luck: with more attempts, the best looks better on the queries that selected it. So the
selection is repeated without each fifth of the queries in turn, and evaluated on that fifth alone. If these selections
are no better than the default, by a paired test, nothing was found, and the default is kept.
"""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import fsum
from typing import TypeAlias

from hybridrank.evaluation.collections.beir import CollectionError, Qrels
from hybridrank.evaluation.collections.document_names import DocumentNames
from hybridrank.evaluation.experiments.configuration import Configuration, ConfiguredPipeline
from hybridrank.evaluation.experiments.pipelines import PipelineSettings
from hybridrank.evaluation.measures.significance import Comparison, compare
from hybridrank.evaluation.measures.standard import cutoff, evaluate
from hybridrank.evaluation.tuning.memory import RememberingSearch

__all__ = ["FOLDS", "SIGNIFICANT", "Attempt", "Tuned", "TuningError", "Values", "chosen_without", "measured_on"]

FOLDS = 5
SIGNIFICANT = 0.05
_SEED = 4_242  # seed of the folds, fixed so that the same values always lead to the same choice

Values: TypeAlias = Mapping[str, float]
"""query_id → measure, for queries with a relevant document."""


class TuningError(CollectionError):
    """Tuning cannot continue, or not with this study; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A tried configuration and its values; `number` counts from 0, the default."""

    number: int
    configuration: Configuration
    values: Values

    @property
    def mean(self) -> float:
        """Mean over queries."""
        return fsum(self.values.values()) / len(self.values)


@dataclass(frozen=True)
class Tuned:
    """All attempts in order; the first is the default."""

    attempts: Sequence[Attempt]

    @property
    def default(self) -> Attempt:
        """The baseline of every comparison."""
        return self.attempts[0]

    @property
    def best(self) -> Attempt:
        """The best on dev; the first of ties, so the default wins ties."""
        return max(self.attempts, key=lambda each: (each.mean, -each.number))

    @cached_property
    def evidence(self) -> Comparison:
        """The effect of selection on queries that it did not see, compared with the default."""
        return compare(self.default.values, {"chosen": chosen_without(self.attempts)})["chosen"]

    @property
    def found(self) -> bool:
        """True if an attempt is better than the default."""
        return self.best is not self.default and self.evidence.delta > 0 and self.evidence.p < SIGNIFICANT

    @property
    def winner(self) -> Attempt:
        """The best if `found`, else the default."""
        return self.best if self.found else self.default


def chosen_without(attempts: Sequence[Attempt], folds: int = FOLDS) -> dict[str, float]:
    """Returns each query's value by the attempt that is best on the queries of the other folds; the first of ties.

    With fewer queries than folds, each query is a fold. A single query gets the value of the first attempt.
    """
    query_ids = sorted(attempts[0].values)
    random.Random(_SEED).shuffle(query_ids)  # noqa: S311
    values: dict[str, float] = {}
    for fold in range(min(folds, len(query_ids))):
        held_out = query_ids[fold::folds]
        seen = [each for each in query_ids if each not in set(held_out)]
        best = max(attempts, key=lambda each: (fsum(each.values[one] for one in seen), -each.number))
        values |= {query_id: best.values[query_id] for query_id in held_out}
    return values


def measured_on(
    search: RememberingSearch,
    index: str,
    queries: Mapping[str, str],
    qrels: Qrels,
    measure: str,
    settings: PipelineSettings,
) -> Callable[[Configuration], Awaitable[Values]]:
    """Returns a function that measures a configuration on these queries (query_id → text), with cached answers.

    Raises TuningError if an answer is incomplete, because the values must measure rankings, not a busy machine.
    """
    judged = {query_id: qrels[query_id] for query_id in queries}
    looked_at = replace(settings, size=cutoff(measure) or settings.size)

    async def values(configuration: Configuration) -> Values:
        pipeline = ConfiguredPipeline.of("", configuration)
        search.count_by(configuration.bm25)
        names = await DocumentNames.of(search.engine, index)
        names.check_qrels(judged)
        rankings = {}
        for query_id, query_text in queries.items():
            response = await search.search(pipeline.request(index, query_text, looked_at))
            if response.degraded:
                lack = "; ".join(f"{each.stage}: {each.detail}" for each in response.degraded)
                raise TuningError(f"query {query_id}: {lack}")
            rankings[query_id] = [names.name(hit.key) for hit in response.hits]
        return {query_id: each[measure] for query_id, each in evaluate(judged, rankings, [measure]).per_query.items()}

    return values
