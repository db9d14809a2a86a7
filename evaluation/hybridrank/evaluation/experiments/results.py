"""Results of an experiment, and their JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from hybridrank.evaluation.collections.beir import Qrels
from hybridrank.evaluation.experiments.experiment import PipelineRun
from hybridrank.evaluation.measures.rbo import PERSISTENCE, mean_overlaps
from hybridrank.evaluation.measures.significance import Comparison, compare
from hybridrank.evaluation.measures.standard import STANDARD_MEASURES, Evaluation, evaluate
from hybridrank.evaluation.measures.win_loss import WinLoss, win_loss

__all__ = ["COMPARED_BY", "ExperimentResult", "PipelineResult", "summarise"]

COMPARED_BY = STANDARD_MEASURES[0]


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """One row of the table. Latencies are percentiles over queries, interpolated; `versus` is by baseline.

    `scored` is the number of documents that models scored, the mean over queries.
    """

    evaluation: Evaluation
    ms_p50: float
    ms_p95: float
    degraded: int
    versus: Mapping[str, Comparison]
    scored: float = 0.0


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """Result of every pipeline, the baselines, and the environment (collection, engine, models, machine).

    `overlaps` has the mean rank-biased overlap of the rankings of each two pipelines.
    """

    pipelines: Mapping[str, PipelineResult]
    baselines: tuple[str, ...]
    about: Mapping[str, Any] = field(default_factory=dict)
    measures: tuple[str, ...] = STANDARD_MEASURES
    overlaps: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def compared_by(self) -> str:
        """The measure of the tests against the baselines: the first one."""
        return self.measures[0]

    @property
    def baseline(self) -> str:
        """The first baseline, with which queries are compared one by one."""
        return self.baselines[0]

    def by_query(self, pipeline: str) -> dict[str, float]:
        """Returns a pipeline's values (query_id → value) of the compared measure."""
        per_query = self.pipelines[pipeline].evaluation.per_query
        return {query_id: values[self.compared_by] for query_id, values in per_query.items()}

    def win_loss(self, pipeline: str) -> WinLoss:
        """Returns the queries on which a pipeline is better and worse than the baseline."""
        return win_loss(self.by_query(self.baseline), self.by_query(pipeline))

    def as_json(self) -> dict[str, Any]:
        """Returns `{"pipelines": {name: {measure: value, …}}, "baseline": name, …}` as JSON values."""
        return {
            "pipelines": {name: self._pipeline(name, each) for name, each in self.pipelines.items()},
            "baseline": self.baseline,
            "compared_by": self.compared_by,
            "rbo": {"p": PERSISTENCE, "mean": self.overlaps},
            **self.about,
        }

    def _pipeline(self, name: str, result: PipelineResult) -> dict[str, Any]:
        versus = {f"vs_{baseline}": asdict(each) for baseline, each in result.versus.items()}
        if self.baseline in result.versus:
            outcome = self.win_loss(name)
            counts = {"wins": len(outcome.wins), "losses": len(outcome.losses), "ties": outcome.ties}
            versus[f"vs_{self.baseline}"] |= counts
        return {
            **result.evaluation.mean,
            "ms_p50": result.ms_p50,
            "ms_p95": result.ms_p95,
            "degraded": result.degraded,
            "documents_scored": result.scored,
            **versus,
            "per_query": result.evaluation.per_query,
        }


def summarise(
    runs: Mapping[str, PipelineRun],
    qrels: Qrels,
    baselines: Sequence[str],
    about: Mapping[str, Any] | None = None,
    measures: Sequence[str] = STANDARD_MEASURES,
) -> ExperimentResult:
    """Measures every run over the judged, searched queries, and compares each with the baselines by the first measure.

    Raises ValueError if a baseline was not run, CollectionError if no query has a relevant document.
    """
    if missing := next((each for each in baselines if each not in runs), None):
        raise ValueError(f"the baseline {missing!r} was not run; it is one of {', '.join(runs)}")
    judged = {query_id: grades for query_id, grades in qrels.items() if query_id in runs[baselines[0]].rankings}
    evaluations = {name: evaluate(judged, run.rankings, measures) for name, run in runs.items()}
    values = {
        name: {query_id: each_query[measures[0]] for query_id, each_query in each.per_query.items()}
        for name, each in evaluations.items()
    }
    comparisons = {
        baseline: compare(values[baseline], {name: each for name, each in values.items() if name != baseline})
        for baseline in baselines
    }
    return ExperimentResult(
        {
            name: PipelineResult(
                evaluations[name],
                *_percentiles(run.latencies_ms),
                degraded=len(run.degraded),
                versus={baseline: each[name] for baseline, each in comparisons.items() if name in each},
                scored=sum(run.scored.values()) / max(1, len(run.scored)),
            )
            for name, run in runs.items()
        },
        tuple(baselines),
        about or {},
        tuple(measures),
        mean_overlaps({name: run.rankings for name, run in runs.items()}, list(values[baselines[0]])),
    )


def _percentiles(latencies_ms: Mapping[str, float]) -> tuple[float, float]:
    p50, p95 = np.percentile(list(latencies_ms.values()), [50, 95])
    return float(p50), float(p95)
