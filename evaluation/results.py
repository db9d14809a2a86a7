"""What an experiment found, and the JSON that holds it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from evaluation.collections import Qrels
from evaluation.experiment import PipelineRun
from evaluation.measures import Evaluation, evaluate
from evaluation.significance import Comparison, compare

__all__ = ["COMPARED_BY", "ExperimentResult", "PipelineResult", "summarise"]

COMPARED_BY = "ndcg@10"


@dataclass(frozen=True, slots=True)
class PipelineResult:
    """One row of the table. Latencies are percentiles over queries, interpolated; `versus` is None for the baseline."""

    evaluation: Evaluation
    ms_p50: float
    ms_p95: float
    degraded: int
    versus: Comparison | None


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """Every pipeline's result, what they were compared with, and what was run (collection, engine, models, machine)."""

    pipelines: Mapping[str, PipelineResult]
    baseline: str
    about: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """`{"pipelines": {name: {measure: value, …}}, "baseline": name, …}`, with values a JSON writer takes."""
        return {
            "pipelines": {name: self._pipeline(each) for name, each in self.pipelines.items()},
            "baseline": self.baseline,
            "compared_by": COMPARED_BY,
            **self.about,
        }

    def _pipeline(self, result: PipelineResult) -> dict[str, Any]:
        versus = {f"vs_{self.baseline}": asdict(result.versus)} if result.versus else {}
        return {
            **result.evaluation.mean,
            "ms_p50": result.ms_p50,
            "ms_p95": result.ms_p95,
            "degraded": result.degraded,
            **versus,
            "per_query": result.evaluation.per_query,
        }


def summarise(
    runs: Mapping[str, PipelineRun], qrels: Qrels, baseline: str, about: Mapping[str, Any] | None = None
) -> ExperimentResult:
    """Measure every run over the judged queries that were searched, and compare each with the baseline's.

    Raises ValueError when the baseline was not run, CollectionError when no query has a relevant document.
    """
    if baseline not in runs:
        raise ValueError(f"the baseline {baseline!r} was not run; it is one of {', '.join(runs)}")
    judged = {query_id: grades for query_id, grades in qrels.items() if query_id in runs[baseline].rankings}
    evaluations = {name: evaluate(judged, run.rankings) for name, run in runs.items()}
    values = {
        name: {query_id: measures[COMPARED_BY] for query_id, measures in each.per_query.items()}
        for name, each in evaluations.items()
    }
    comparisons = compare(values[baseline], {name: each for name, each in values.items() if name != baseline})
    return ExperimentResult(
        {
            name: PipelineResult(
                evaluations[name],
                *_percentiles(run.latencies_ms),
                degraded=len(run.degraded),
                versus=comparisons.get(name),
            )
            for name, run in runs.items()
        },
        baseline,
        about or {},
    )


def _percentiles(latencies_ms: Mapping[str, float]) -> tuple[float, float]:
    p50, p95 = np.percentile(list(latencies_ms.values()), [50, 95])
    return float(p50), float(p95)
