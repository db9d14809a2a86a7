"""Training data: candidates of a collection's judged queries, or a log of searches with clicks."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from hybridrank.common.counts import counted
from hybridrank.common.errors import BadLine
from hybridrank.common.progress import Progress
from hybridrank.connector import HybridSearch
from hybridrank.connector.stages.feature_log import read_feature_log
from hybridrank.evaluation.collections.beir import CollectionError, Qrels
from hybridrank.evaluation.collections.judged import judged_queries, read_collection
from hybridrank.evaluation.experiments.bench import Bench
from hybridrank.evaluation.experiments.pipelines import Pipeline, PipelineSettings
from hybridrank.ltr_features import FeatureSet
from hybridrank.training.ltr.click_files import note_skipped, ubi_showings
from hybridrank.training.ltr.dataset import RankingData
from hybridrank.training.ltr.features import candidate_features
from hybridrank.training.ltr.live import live_rows

__all__ = ["JudgedRows", "from_collection", "from_log"]


@dataclass(frozen=True)
class JudgedRows:
    """Rows in the order of `baseline`, the judgments to measure by, the queries' texts, and facts for a model card."""

    data: RankingData
    qrels: Qrels
    queries: dict[str, str]
    baseline: str
    about: dict[str, str]


async def from_collection(
    folder: Path,
    split: str,
    feature_set: FeatureSet,
    open_bench: Callable[[], AbstractAsyncContextManager[Bench]],
    progress: Progress,
    *,
    pipeline: Pipeline,
    window: int,
    index: str = "",
) -> JudgedRows:
    """Searches every judged query; missing documents are indexed first. Raises CollectionError without such a query."""
    collection = read_collection(folder, split, progress)
    documents, qrels = collection.documents, collection.qrels
    queries = judged_queries(collection.queries, qrels)
    if not queries:
        raise CollectionError(f"{folder}: qrels/{split}.tsv judges no query of queries.jsonl")
    async with open_bench() as bench:
        index = index or bench.index_name(collection.name, collection.digest)
        if rejected := (await bench.index(index, documents)).rejected:
            first = f"{rejected[0].doc_id}: {rejected[0].reason}"
            progress.note(f"rejected: {len(rejected)} of {counted(len(documents), 'document')}, the first {first}")
        info = await bench.engine.info()
        search = HybridSearch(bench.engine, bench.sidecar)
        settings = bench.settings(PipelineSettings(size=window))
        with progress.step(f"features of {counted(len(queries), 'query')}", len(queries)) as advance:
            data = await candidate_features(
                search=search,
                pipeline=pipeline,
                index=index,
                queries=queries,
                qrels=qrels,
                feature_set=feature_set,
                settings=settings,
                on_query=lambda: advance(1),
            )
    about = {
        "collection": f"{collection.name}, qrels/{split}",
        "collection digest": collection.digest,
        "candidates": f"the first {window} of {pipeline.name} on {info.name} {info.version}",
        "queries": str(len(data.query_ids)),
        "rows": f"{len(data.rows)}, {len(data.judged().rows)} of them judged",
    }
    return JudgedRows(data, {each: qrels[each] for each in queries}, queries, pipeline.name, about)


def from_log(folder: Path, events: Path, feature_set: FeatureSet, progress: Progress) -> JudgedRows:
    """Returns the documents that live searches showed; a click is grade 1."""
    skipped: list[BadLine] = []
    showings = ubi_showings(events, skipped.append)
    note_skipped(skipped, progress)
    with progress.step("reading the log"):
        data, queries = live_rows(read_feature_log(folder), showings, feature_set)
    qrels = {
        query_id: dict(zip(data.doc_ids[rows], data.grades[rows].tolist(), strict=True))
        for query_id, rows in data.groups()
    }
    about = {
        "data": "a log of live searches; a click is grade 1, and the place's share of it is taken out",
        "measures": "clicks favour the order that was shown: a lower bound for the model",
        "searches": str(len(data.query_ids)),
        "rows": f"{len(data.rows)}, {int(data.grades.sum())} of them clicked",
    }
    return JudgedRows(data, qrels, queries, "as shown", about)
