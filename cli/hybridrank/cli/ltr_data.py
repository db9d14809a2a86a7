"""Training data of `hybridrank ltr`: candidates of a collection's judged queries, or a log of searches with clicks."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from hybridrank.cli.experiments import judged_queries, open_bench, read_collection
from hybridrank.cli.progress import progress
from hybridrank.cli.session import default_engine
from hybridrank.cli.skipped import tell_skipped
from hybridrank.cli.startable import UnknownModel
from hybridrank.common.counts import counted
from hybridrank.common.errors import BadLine
from hybridrank.connector import HybridSearch
from hybridrank.connector.stages.feature_log import read_feature_log
from hybridrank.evaluation.collections.beir import CollectionError, Qrels
from hybridrank.evaluation.experiments.pipelines import PipelineSettings, parse_pipeline
from hybridrank.ltr_features import FeatureSet
from hybridrank.training.ltr.click_files import ubi_showings
from hybridrank.training.ltr.dataset import RankingData
from hybridrank.training.ltr.features import candidate_features
from hybridrank.training.ltr.live import live_rows

__all__ = ["Judged", "from_collection", "from_log"]

err = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class Judged:
    """Rows in the order of `baseline`, the judgments to measure by, the queries' texts, and what a card says of it."""

    data: RankingData
    qrels: Qrels
    queries: dict[str, str]
    baseline: str
    about: dict[str, str]


async def from_collection(
    folder: Path,
    split: str,
    feature_set: FeatureSet,
    *,
    pipeline: str,
    window: int,
    index: str,
    engine: str,
    sidecar: str,
) -> Judged:
    """Search every judged query; the index is filled first where it lacks documents."""
    try:
        parsed = parse_pipeline(pipeline)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--pipeline") from error
    collection = read_collection(folder, split, err)
    documents, qrels = collection.documents, collection.qrels
    queries = judged_queries(collection.queries, qrels)
    if not queries:
        raise CollectionError(f"{folder}: qrels/{split}.tsv judges no query of queries.jsonl")
    async with AsyncExitStack() as stack:
        try:
            bench = await open_bench(stack, engine or default_engine(), sidecar, [parsed], err, index=index)
        except UnknownModel as error:
            raise typer.BadParameter(str(error), param_hint="--pipeline") from error
        index = index or bench.index_name(collection.name, collection.digest)
        if rejected := (await bench.index(index, documents)).rejected:
            first = f"{rejected[0].doc_id}: {rejected[0].reason}"
            err.print(
                f"rejected: {len(rejected)} of {counted(len(documents), 'document')}, the first {first}", markup=False
            )
        info = await bench.engine.info()
        search = HybridSearch(bench.engine, bench.sidecar)
        settings = PipelineSettings(size=window)
        with progress(f"features of {counted(len(queries), 'query')}", err, len(queries)) as advance:
            data = await candidate_features(
                search=search,
                pipeline=parsed,
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
        "candidates": f"the first {window} of {pipeline} on {info.name} {info.version}",
        "queries": str(len(data.query_ids)),
        "rows": f"{len(data.rows)}, {len(data.judged().rows)} of them judged",
    }
    return Judged(data, {each: qrels[each] for each in queries}, queries, pipeline, about)


def from_log(folder: Path, events: Path, feature_set: FeatureSet) -> Judged:
    """Reads logged searches and their clicks; a click is grade 1."""
    skipped: list[BadLine] = []
    showings = ubi_showings(events, skipped.append)
    tell_skipped(skipped, err)
    with progress("reading the log", err):
        data, queries = live_rows(read_feature_log(folder), showings, feature_set)
    qrels = {
        query_id: dict(zip(data.doc_ids[place], data.grades[place].tolist(), strict=True))
        for query_id, place in data.groups()
    }
    about = {
        "data": "a log of live searches; a click is grade 1, and the place's share of it is taken out",
        "measures": "clicks favour the order that was shown: a lower bound for the model",
        "searches": str(len(data.query_ids)),
        "rows": f"{len(data.rows)}, {int(data.grades.sum())} of them clicked",
    }
    return Judged(data, qrels, queries, "as shown", about)
