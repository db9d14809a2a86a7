"""What HybridSearch adds to the engine's own `_msearch` of the same two bodies.

    python -m benchmarks.search_overhead opensearch

Both run in turn on the same queries against the same real server on this machine: A the official client alone, B
HybridSearch with the query vector given and nothing rescored, so that the difference is building, parsing and fusing.
"""

import asyncio
import statistics
import sys
from time import perf_counter

from connector import HybridSearch, SearchRequest
from connector.engines import msearch
from connector.engines.rest import RestEngine
from connector.indexing import index_documents
from connector.search import _queries
from connector.vector_cache import VectorCache
from evaluation.environment import describe_environment
from evaluation.stdlib import read_stdlib
from hybridrank.options import cache_folder
from hybridrank.session import open_search
from local_engines import start

WARM_UP = 20


async def main(url: str) -> None:
    collection = read_stdlib()
    async with open_search(url, "auto") as (search, sidecar):
        engine = search.engine
        assert isinstance(engine, RestEngine)
        cache = VectorCache(cache_folder() / "vectors.sqlite3")
        await index_documents(engine, sidecar, "overhead", collection.entries, cache=cache)
        texts = list(collection.queries().values())
        encodings = await sidecar.encode(texts, model="encoder", kind="query", timeout_s=60)
        requests = [
            SearchRequest(index="overhead", query_text=text, query_vector=encoding.vector)
            for text, encoding in zip(texts, encodings, strict=True)
        ]
        bare, ours = await measure(engine, search, requests)
        print(describe_environment(await engine.info(), await sidecar.models()))
    print(f"{'':24}{'p50 ms':>8}{'p95 ms':>8}")
    for name, times in (("_msearch by the client", bare), ("HybridSearch", ours)):
        cuts = statistics.quantiles(times, n=20)
        print(f"{name:24}{statistics.median(times):8.2f}{cuts[18]:8.2f}")
    added = [b - a for a, b in zip(bare, ours, strict=True)]
    print(
        f"added, query by query: p50 {statistics.median(added):.2f} ms; ratio of medians"
        f" {statistics.median(ours) / statistics.median(bare):.2f}"
    )


async def measure(
    engine: RestEngine, search: HybridSearch, requests: list[SearchRequest]
) -> tuple[list[float], list[float]]:
    """Milliseconds of each query by A and by B; which goes first alternates."""
    bare: list[float] = []
    ours: list[float] = []
    for number, request in enumerate([*requests[:WARM_UP], *requests]):
        bodies = [engine._body(query) for query in _queries(request, request.query_vector).values()]
        for turn in "ab" if number % 2 else "ba":
            started = perf_counter()
            if turn == "a":
                await engine._msearch(msearch.lines(request.index, bodies))
            else:
                await search.search(request)
            (bare if turn == "a" else ours).append(1000 * (perf_counter() - started))
    return bare[WARM_UP:], ours[WARM_UP:]


if __name__ == "__main__":
    with start(sys.argv[1] if len(sys.argv) > 1 else "opensearch") as server:
        asyncio.run(main(server.url))
