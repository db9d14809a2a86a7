"""A search by the library beside the same search fused inside OpenSearch: latencies on one index, in one run.

    python -m benchmarks.engine_latency --collection ../scifact

HybridSearch sends two queries in one `_msearch` and fuses here. Natively one `hybrid` query is sent by the official
client alone and fused by the server, once for a page of ten and once for the whole window, which is what a reranker
would read. Query vectors are given and nothing is rescored, so no sidecar takes part. The ways take turns query by
query (one caller) or burst by burst (several). Takes about ten minutes on two cores.
"""

import argparse
import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import TypeVar

import numpy as np
from opensearchpy import AsyncOpenSearch
from rich.console import Console

from benchmarks.results_file import Aim, Section, update
from hybridrank.cli.console.progress import progress
from hybridrank.cli.session import open_sidecar
from hybridrank.common.cache_folder import cache_folder
from hybridrank.connector import HybridSearch, Rrf, SearchRequest, SidecarClient, connect_engine
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.engines.opensearch import native as in_opensearch
from hybridrank.connector.engines.opensearch.dialect import OPENSEARCH
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.passages import passage_text
from hybridrank.connector.retrieval import queries_of
from hybridrank.connector.types import Document, Encoding
from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.evaluation.collections.judged import judged_queries
from hybridrank.evaluation.experiments.environment import describe_environment
from hybridrank.evaluation.report.tables import ReportTable
from hybridrank.index_templates import IndexDefinition
from hybridrank.local_engines import start

SIZES = (5_000, 100_000)
CALLERS = (1, 8)
PAGE = 10
WARM_UP = 50
A_BULK = 500
NOISE = 0.05
SEED = 0
LIBRARY, NATIVE, NATIVE_WINDOW = "library", "native, a page", "native, the window"

err = Console(stderr=True, highlight=False)

Item = TypeVar("Item")
Way = Callable[[SearchRequest], Awaitable[object]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collection", type=Path, required=True, help="a folder in BEIR's layout")
    parser.add_argument("--split", default="test")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="documents in the index")
    parser.add_argument("--rounds", type=int, default=3, help="how often every query is searched by each way")
    arguments = parser.parse_args()
    with start("opensearch", heap_mb=2048) as server:
        print(update("latency", asyncio.run(measure(server.url, arguments))))


async def measure(url: str, arguments: argparse.Namespace) -> Section:
    collection = BeirFolder(arguments.collection)
    queries = judged_queries(collection.queries(), collection.qrels(arguments.split), None)
    engine = await connect_engine(url, timeout_s=60)
    client = AsyncOpenSearch(hosts=[url], timeout=60)
    try:
        async with open_sidecar("auto") as sidecar:
            documents = await encoded(collection, sidecar)
            vectors = await sidecar.encode(list(queries.values()), model="encoder", kind="query", timeout_s=60)
            about = describe_environment(await engine.info(), await sidecar.models())
        about |= {"collection": {"name": collection.name, "queries": len(queries), "rounds": arguments.rounds}}
        times: dict[str, dict[str, list[float]]] = {}
        for size in arguments.sizes:
            index = f"documents-{size}"
            await fill(engine, index, documents, size)
            requests = [
                SearchRequest(index=index, query_text=text, query_vector=each.vector)
                for text, each in zip(queries.values(), vectors, strict=True)
            ]
            for callers in CALLERS:
                case = f"{size} documents, {callers} {'caller' if callers == 1 else 'callers'}"
                with progress(case, err):
                    times[case] = await take_turns(ways(engine, client), requests, callers, arguments.rounds)
            await engine.delete_index(index)
    finally:
        await client.close()
        await engine.close()
    return section(times, about)


async def encoded(collection: BeirFolder, sidecar: SidecarClient) -> list[Document]:
    """The collection's documents with their vectors, from the cache where it has them."""
    cache = VectorCache(cache_folder() / "vectors.sqlite3")
    info = next(each for each in await sidecar.models() if "encoder" in each.aliases)
    documents = list(collection.documents())
    with progress(f"encoding {collection.name}", err, len(documents)) as advance:
        found = []
        for batch in batched(documents, A_BULK):
            texts = [passage_text(each.source) for each in batch]
            vectors = cache.get(info.digest, texts)
            missing = [text for text in dict.fromkeys(texts) if text not in vectors]
            if missing:
                encodings = await sidecar.encode(missing, model=info.name, kind="document", timeout_s=600)
                fresh = {text: each.vector for text, each in zip(missing, encodings, strict=True)}
                cache.put(info.digest, fresh)
                vectors |= fresh
            found += [replace(each, vector=vectors[text]) for each, text in zip(batch, texts, strict=True)]
            advance(len(batch))
    return found


async def fill(engine: Engine, index: str, documents: Sequence[Document], size: int) -> None:
    """`size` documents: those of the collection, then copies of them with vectors that noise has moved.

    Merged into one segment at the end, so that no merge runs under the searches.
    """
    await engine.create_index(index, IndexDefinition(len(documents[0].vector or ())))
    with progress(f"indexing {index}", err, size) as advance:
        for batch in batched(islice(copies(documents), size), A_BULK):
            report = await engine.index_documents(index, batch)
            assert not report.rejected, report.rejected[0]
            advance(len(batch))
        await engine.refresh(index)
        await engine.request("POST", f"/{index}/_forcemerge?max_num_segments=1&wait_for_completion=true")


def copies(documents: Sequence[Document]) -> Iterator[Document]:
    noise = np.random.default_rng(SEED)
    yield from documents
    for number in count(2):
        for each in documents:
            moved = np.asarray(each.vector) + noise.normal(0, NOISE, len(each.vector or ()))
            yield replace(each, doc_id=f"{each.doc_id}-{number}", vector=tuple(moved / np.linalg.norm(moved)))


def ways(engine: Engine, client: AsyncOpenSearch) -> Mapping[str, Way]:
    """The library, and what an application sends that has OpenSearch fuse the same two queries."""
    search = HybridSearch(engine)

    async def native(request: SearchRequest, size: int) -> object:
        window = request.rank_window_size
        queries = queries_of(request, Encoding(request.query_vector) if request.query_vector else None)
        bodies = [queries["bm25"].body(OPENSEARCH), queries["knn"].body(OPENSEARCH)]
        body = in_opensearch.body(bodies, Rrf().native("opensearch", ("bm25", "knn")), window)
        return await client.search(index=request.index, body=body | {"size": size})

    return {
        LIBRARY: search.search,
        NATIVE: lambda request: native(request, PAGE),
        NATIVE_WINDOW: lambda request: native(request, request.rank_window_size),
    }


async def take_turns(
    ways: Mapping[str, Way], requests: Sequence[SearchRequest], callers: int, rounds: int
) -> dict[str, list[float]]:
    """Milliseconds of each search by each way. Every burst is searched by all, by another one first each time."""
    gc.collect()
    gc.freeze()  # as a service does (docs/connector.md), or every way waits now and then for what it did not allocate
    times: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    bursts = [*batched(requests, callers)] * rounds
    for number, burst in enumerate([*bursts[:WARM_UP], *bursts]):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            found = await asyncio.gather(*(timed(ways[name], request) for request in burst))
            times[name] += found if number >= WARM_UP else []
    return times


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch


async def timed(way: Way, request: SearchRequest) -> float:
    started = perf_counter()
    await way(request)
    return 1000 * (perf_counter() - started)


def section(times: Mapping[str, Mapping[str, Sequence[float]]], about: Mapping) -> Section:
    measured, rows, aims = {}, [], []
    for case, found in times.items():
        points = {name: (median(each), quantiles(each, n=20)[18]) for name, each in found.items()}
        measured[case] = {name: {"p50_ms": p50, "p95_ms": p95} for name, (p50, p95) in points.items()}
        rows.append((case, *(f"{p50:.1f} / {p95:.1f}" for p50, p95 in points.values())))
        for place, word in enumerate(("p50", "p95")):
            ratio = points[LIBRARY][place] / points[NATIVE][place]
            aims.append(Aim(f"{case}: library / native, a page, {word}", ratio, 1, at_most=True))
    collection = about["collection"]
    return Section(
        "Latency: `_msearch` and fusion here, `hybrid` and fusion there",
        about,
        measured,
        (
            f"Milliseconds, p50 / p95, on OpenSearch {about['engine']['version']} on this machine, which the client "
            f"shares: the {collection['queries']} queries of {collection['name']}, {collection['rounds']} times each; "
            f"its documents, and beyond their number copies of them with vectors moved by noise. A page has {PAGE} "
            "hits, a window 100.",
        ),
        ReportTable(("", *next(iter(times.values()))), tuple(rows)),
        tuple(aims),
    )


if __name__ == "__main__":
    main()
