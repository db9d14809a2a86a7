"""Judgments → feature rows, by the same search that will serve the model."""

from collections.abc import Callable, Mapping

from hybridrank.connector import HybridSearch
from hybridrank.connector.stages import FeatureRescore
from hybridrank.evaluation.collections.beir import Qrels
from hybridrank.evaluation.collections.document_names import DocumentNames
from hybridrank.evaluation.experiments.pipelines import Pipeline, PipelineSettings
from hybridrank.ltr_features import FeatureSet
from hybridrank.training.ltr.dataset import UNJUDGED, RankingData, from_groups
from hybridrank.training.ltr.errors import FeaturesMissing

__all__ = ["candidate_features"]


async def candidate_features(
    search: HybridSearch,
    pipeline: Pipeline,
    index: str,
    queries: Mapping[str, str],
    qrels: Qrels,
    feature_set: FeatureSet,
    settings: PipelineSettings,
    on_query: Callable[[], None] = lambda: None,
) -> RankingData:
    """Returns the first `settings.size` candidates of each query (query_id → text) with features, in pipeline order.

    A document that the pipeline does not find is left out, whatever its grade, because the model never scores it. An
    unjudged candidate has grade UNJUDGED. Raises FeaturesMissing for a degraded search, AmbiguousId for a judgment that
    does not identify one of several indices, EngineError and SearchFailed.
    """
    stage = FeatureRescore(
        feature_set=feature_set,
        rescore_window_size=settings.size,
        timeout_s=settings.timeout_s,
        with_features=True,
    )
    names = await DocumentNames.of(search.engine, index)
    names.check_qrels({query_id: qrels.get(query_id, {}) for query_id in queries})
    groups = []
    for query_id, text in queries.items():
        request = pipeline.request(index, text, settings)
        stages = (*request.stages, stage)
        # Not strict: a degraded search raises below, with the query's id.
        request = request.model_copy(update={"rescore": stages, "query_id": query_id, "strict": False})
        response = await search.search(request)
        if response.degraded:
            reasons = "; ".join(f"{each.stage}: {each.detail}" for each in response.degraded)
            raise FeaturesMissing(f"query {query_id!r}: {reasons}")
        grades = {doc_id: max(0, grade) for doc_id, grade in qrels.get(query_id, {}).items()}  # -1 means UNJUDGED
        rows = [
            (name, grades.get(name, UNJUDGED), [hit.features[each] for each in feature_set.names])
            for name, hit in ((names.name(hit.key), hit) for hit in response.hits)
            if hit.features  # a cascade has features only for documents that the previous stage scored
        ]
        if rows:
            groups.append((query_id, rows))
        on_query()
    return from_groups(groups, len(feature_set.names))
