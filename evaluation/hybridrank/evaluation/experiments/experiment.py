"""Runs a pipeline over queries: rankings, the latency of each search, and the degraded answers."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from time import perf_counter
from typing import Any

from hybridrank.connector import HybridSearch
from hybridrank.evaluation.collections.document_names import DocumentNames
from hybridrank.evaluation.experiments.pipelines import Pipeline, PipelineSettings

__all__ = ["WARM_UP_QUERIES", "PipelineRun", "run_pipeline"]

WARM_UP_QUERIES = 3  # searched once more, untimed: the first calls open connections and fill caches


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """Rankings (query_id → names of documents), milliseconds per query, and the degraded answers with their reasons.

    Rankings are best first, with document names from `DocumentNames`. `scored` counts, for each query, the documents of
    its answer that a model scored, once per model.
    """

    rankings: Mapping[str, tuple[str, ...]]
    latencies_ms: Mapping[str, float]
    degraded: Mapping[str, str]
    scored: Mapping[str, int] = field(default_factory=dict)

    def only(self, query_ids: Collection[str]) -> "PipelineRun":
        """Returns the run over these queries alone."""
        names = ("rankings", "latencies_ms", "degraded", "scored")
        return replace(self, **{name: _only(getattr(self, name), query_ids) for name in names})


async def run_pipeline(
    search: HybridSearch,
    pipeline: Pipeline,
    index: str,
    queries: Mapping[str, str],
    settings: PipelineSettings,
    on_query: Callable[[], None] = lambda: None,
) -> PipelineRun:
    """Searches every query (query_id → text), one at a time, so that latency is that of an idle system.

    `on_query` is called after each query. A degraded answer is counted unchanged. Raises EngineError, SearchFailed and,
    if the settings are strict, Misconfigured.
    """
    names = await DocumentNames.of(search.engine, index)
    for query_id, query_text in islice(queries.items(), WARM_UP_QUERIES):
        await search.search(pipeline.request(index, query_text, settings, query_id))
    rankings: dict[str, tuple[str, ...]] = {}
    latencies_ms: dict[str, float] = {}
    degraded: dict[str, str] = {}
    scored: dict[str, int] = {}
    for query_id, query_text in queries.items():
        request = pipeline.request(index, query_text, settings, query_id)
        started = perf_counter()
        response = await search.search(request)
        latencies_ms[query_id] = 1000 * (perf_counter() - started)
        rankings[query_id] = tuple(names.name(hit.key) for hit in response.hits)
        scored[query_id] = sum(len(hit.rerank_scores) for hit in response.hits)
        if response.degraded:
            degraded[query_id] = "; ".join(f"{each.stage}: {each.reason}" for each in response.degraded)
        on_query()
    return PipelineRun(rankings, latencies_ms, degraded, scored)


def _only(values: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key in keys}
