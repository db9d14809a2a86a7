"""The same ranking from the library and from OpenSearch's own pipelines: nDCG@10 of both on one index.

    python -m benchmarks.engine_pipelines --collection ../scifact

A fresh OpenSearch with ml-commons, a sidecar, `hybridrank setup opensearch`; documents go in by plain HTTP through the
ingest pipeline. Then each judged query is searched by HybridSearch and by the search template, fused alone and with the
head of 50 reranked by the model alone. Takes about a quarter of an hour on two cores for the 300 queries of SciFact.
"""

import argparse
import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from pathlib import Path
from urllib.request import Request, urlopen

from benchmarks.results_file import Aim, Section, update
from hybridrank.cli.commands.setup.opensearch import opensearch as setup
from hybridrank.cluster_setup.opensearch_facts import gather
from hybridrank.connector import HybridSearch, Rescore, SearchRequest, SidecarClient, connect_engine
from hybridrank.connector.types import Document
from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.evaluation.collections.judged import judged_queries
from hybridrank.evaluation.experiments.environment import describe_environment
from hybridrank.evaluation.measures.standard import evaluate
from hybridrank.evaluation.report.tables import ReportTable
from hybridrank.index_templates.setup_parts import RERANK_PIPELINE, RRF_PIPELINE, SEARCH_TEMPLATE
from hybridrank.local_engines import start
from hybridrank.local_engines.cluster import free_ports
from hybridrank.sidecar.child import sidecar_process

INDEX = "collection"
PAGE, WINDOW = 10, 50
A_BULK = 200
PATIENCE_S = 60
WITHIN = 0.003
MEASURE = "ndcg@10"

Ranking = Sequence[tuple[str, float]]
"""Doc ids with their scores, best first."""


@dataclass(frozen=True)
class OpenSearch:
    """The view of an application on the cluster: a URL."""

    url: str

    def post(self, path: str, body: bytes, content_type: str = "application/json") -> dict:
        request = Request(f"{self.url}{path}", body, {"content-type": content_type})
        with urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def write(self, documents: Iterable[Document]) -> None:
        left = iter(documents)
        while batch := list(islice(left, A_BULK)):
            lines = "".join(f"{json.dumps(line)}\n" for each in batch for line in _lines(each))
            answer = self.post(f"/{INDEX}/_bulk", lines.encode(), "application/x-ndjson")
            assert not answer["errors"], next(each for each in answer["items"] if "error" in each["index"])
        self.post(f"/{INDEX}/_refresh", b"")

    def search(self, text: str, *, pipeline: str, size: int) -> Ranking:
        params = {"id": SEARCH_TEMPLATE, "params": {"query_text": text, "size": size}}
        path = f"/{INDEX}/_search/template?search_pipeline={pipeline}"
        hits = self.post(path, json.dumps(params).encode())["hits"]["hits"]
        return [(hit["_id"], hit["_score"]) for hit in hits]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collection", type=Path, required=True, help="a folder in BEIR's layout")
    parser.add_argument("--split", default="test")
    parser.add_argument("--queries", type=int, help="only the first of them; default: all")
    arguments = parser.parse_args()
    (http_port,) = free_ports(1)
    # What is read twice is computed once: the scores of both ways are the same numbers, if they ask for the same.
    with (
        start("opensearch", ml_commons=True) as engine,
        sidecar_process(settings={"http_port": str(http_port)}) as sidecar,
    ):
        face = f"http://127.0.0.1:{http_port}"
        with redirect_stdout(StringIO()):
            setup(engine.url, sidecar=face, index=INDEX, timeout_s=PATIENCE_S, yes=True)
        print(update("pipelines", asyncio.run(measure(arguments, OpenSearch(engine.url), sidecar.address))))


async def measure(arguments: argparse.Namespace, cluster: OpenSearch, sidecar: str) -> Section:
    collection = BeirFolder(arguments.collection)
    qrels = collection.qrels(arguments.split)
    queries = judged_queries(collection.queries(), qrels, arguments.queries)
    qrels = {query_id: qrels[query_id] for query_id in queries}
    await asyncio.to_thread(cluster.write, collection.documents())
    engine = await connect_engine(cluster.url, timeout_s=PATIENCE_S)
    rescore = Rescore(model="cross-encoder", rescore_window_size=WINDOW, weight=1, timeout_s=PATIENCE_S)
    try:
        async with SidecarClient(sidecar) as client:
            search = HybridSearch(engine, client)
            about = describe_environment(await engine.info(), await client.models())
            fused = await by_library(search, queries, None), await by_pipeline(cluster, queries, RRF_PIPELINE)
            reranked = await by_library(search, queries, rescore), await by_pipeline(cluster, queries, RERANK_PIPELINE)
            failures = (await gather(engine.request, "", INDEX)).rerank_failures[RERANK_PIPELINE]
            assert failures == (0, len(queries)), failures
    finally:
        await engine.close()
    about |= {"collection": {"name": collection.name, "split": arguments.split, "queries": len(queries)}}
    return section({"rrf": fused, "rrf, cross-encoder": reranked}, qrels, about)


async def by_library(
    search: HybridSearch, queries: Mapping[str, str], rescore: Rescore | None
) -> Mapping[str, Ranking]:
    rankings = {}
    for query_id, text in queries.items():
        request = SearchRequest(
            index=INDEX,
            query_text=text,
            size=2 * WINDOW,
            rank_window_size=WINDOW,
            rescore=rescore,
            encode_timeout_s=PATIENCE_S,
        )
        response = await search.search(request)
        assert response.degraded == (), response.degraded
        rankings[query_id] = [(hit.doc_id, hit.score) for hit in response.hits]
    return rankings


async def by_pipeline(cluster: OpenSearch, queries: Mapping[str, str], pipeline: str) -> Mapping[str, Ranking]:
    """Fused alone, the whole window is asked for, as the library asks each retriever for it."""
    rankings = {}
    for query_id, text in queries.items():
        size = WINDOW if pipeline == RRF_PIPELINE else PAGE
        rankings[query_id] = await asyncio.to_thread(cluster.search, text, pipeline=pipeline, size=size)
    return rankings


def ties_as(library: Ranking, ranking: Ranking) -> Ranking:
    """`ranking` with equal scores in the order of `library`; what that lacks comes last among its equals.

    >>> ties_as([("b", 0.5), ("a", 0.5)], [("a", 0.3), ("b", 0.3), ("c", 0.1)])
    [('b', 0.3), ('a', 0.3), ('c', 0.1)]
    """
    place = {doc_id: number for number, (doc_id, _) in enumerate(library)}
    return sorted(ranking, key=lambda each: (-each[1], place.get(each[0], len(place))))


def first_ten(rankings: Mapping[str, Ranking]) -> dict[str, tuple[str, ...]]:
    return {query_id: tuple(doc_id for doc_id, _ in ranking[:PAGE]) for query_id, ranking in rankings.items()}


def section(
    found: Mapping[str, tuple[Mapping[str, Ranking], Mapping[str, Ranking]]], qrels: Mapping, about: Mapping
) -> Section:
    measured, rows, aims = {}, [], []
    for name, (library, pipeline) in found.items():
        settled = {query_id: ties_as(library[query_id], ranking) for query_id, ranking in pipeline.items()}
        tens = [first_ten(each) for each in (library, pipeline, settled)]
        ours, theirs, without_ties = (evaluate(qrels, each).mean[MEASURE] for each in tens)
        same, same_settled = (sum(tens[0][each] == ten[each] for each in qrels) / len(qrels) for ten in tens[1:])
        measured[name] = {
            "library": ours,
            "pipeline": theirs,
            "pipeline_with_ties_as_library": without_ties,
            "same_first_ten": same,
            "same_first_ten_with_ties_as_library": same_settled,
        }
        rows.append((name, f"{ours:.4f}", f"{theirs:.4f}", f"{same:.0%}", f"{without_ties:.4f}", f"{same_settled:.0%}"))
        aims.append(Aim(f"{name}: difference of {MEASURE}", abs(ours - theirs), WITHIN, at_most=True))
    collection = about["collection"]
    return Section(
        "The library and OpenSearch's own pipelines",
        about,
        measured,
        (
            f"{MEASURE} on {collection['name']} ({collection['queries']} queries) from one index of OpenSearch "
            f"{about['engine']['version']}, written through the ingest pipeline: by HybridSearch, and by the search "
            f"template and pipelines of `hybridrank setup opensearch`. Both take {WINDOW} documents of each retriever, "
            f"and rerank {WINDOW} by the model alone. Documents that only one retriever found, at the same rank, have "
            "equal RRF scores: the library puts them in an order of its own, OpenSearch leaves it open. Last "
            "come the pipeline's scores with their ties in the library's order.",
        ),
        ReportTable(("", "library", "pipeline", "same first ten", "ties settled", "same first ten"), tuple(rows)),
        tuple(aims),
    )


def _lines(document: Document) -> Iterator[dict]:
    yield {"index": {"_id": document.doc_id}}
    yield dict(document.source)


if __name__ == "__main__":
    main()
