"""The cost of smaller vectors: nDCG@10 of kNN alone, the share of the floats' ranking that is kept, and the index size.

    python -m benchmarks.vector_kinds --collection DIR --engine http://localhost:9200 [--engine …]

Every kind that a server has gets an index of its own, one shard merged to one segment, and is deleted afterwards. Kinds
that the engine rounds are searched as it does by default, and with `oversample`.
"""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hybridrank.cli.session import open_sidecar
from hybridrank.common.cache_folder import cache_folder
from hybridrank.connector import HybridSearch, SearchRequest, connect_engine
from hybridrank.connector.engines.rest.engine import RestEngine
from hybridrank.connector.errors import EngineError
from hybridrank.connector.indexing import index_documents
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.sidecar_client.client import SidecarClient
from hybridrank.connector.types import Vector
from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.evaluation.collections.judged import judged_queries
from hybridrank.evaluation.measures.standard import evaluate
from hybridrank.index_templates import IndexDefinition
from hybridrank.index_templates.vectors import VECTOR_KINDS, VectorKind

INDEX = "hybridrank-vector-kinds"
OVERSAMPLE: tuple[float | None, ...] = (None, 3.0)
ROUNDED = ("int8", "int4", "bbq", "on_disk")
WINDOW = 100
CONSOLE = Console(stderr=True, highlight=False)

Rankings = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Searched:
    """Results of one kind: the size of its index, and the first hundred of each query by oversampling."""

    megabytes: float
    rankings: Mapping[float | None, Rankings]


async def measure(address: str, folder: BeirFolder, client: SidecarClient, without: Sequence[str]) -> list[list[str]]:
    """The rows of one engine."""
    engine = await connect_engine(address, timeout_s=120)
    assert isinstance(engine, RestEngine)
    qrels = folder.qrels("test")
    texts = judged_queries(folder.queries(), qrels)
    encodings = await client.encode(list(texts.values()), model="encoder", kind="query", timeout_s=300)
    vectors = {query_id: each.vector for query_id, each in zip(texts, encodings, strict=True)}
    found: dict[VectorKind, Searched] = {}
    info = await engine.info()
    for kind in VECTOR_KINDS:
        if kind in without:
            continue
        try:
            found[kind] = await searched(engine, client, folder, kind, vectors, texts)
            CONSOLE.print(f"{info.name} {kind}: done")
        except EngineError as error:
            CONSOLE.print(f"{info.name} {kind}: {error}")
    await engine.close()
    whole = found["float"].rankings[None]
    return [
        [
            f"{info.name} {info.version}",
            kind,
            f"{factor:g}" if factor else "",
            f"{evaluate(qrels, rankings).mean['ndcg@10']:.4f}",
            f"{kept(whole, rankings, 10):.3f}",
            f"{kept(whole, rankings, 100):.3f}",
            f"{each.megabytes:.1f}",
        ]
        for kind, each in found.items()
        for factor, rankings in each.rankings.items()
    ]


async def searched(
    engine: RestEngine,
    client: SidecarClient,
    folder: BeirFolder,
    kind: VectorKind,
    vectors: Mapping[str, Vector],
    texts: Mapping[str, str],
) -> Searched:
    """Index the collection so, and search it."""
    try:
        cache = VectorCache(cache_folder() / "vectors.sqlite3")
        definition = IndexDefinition(vectors=kind)
        await index_documents(engine, client, INDEX, folder.documents(), cache=cache, definition=definition)
        await engine.request("POST", f"/{INDEX}/_forcemerge?max_num_segments=1&flush=true")
        await engine.request("POST", f"/{INDEX}/_refresh")
        stats = await engine.request("GET", f"/{INDEX}/_stats/store")
        rankings: dict[float | None, Rankings] = {}
        for factor in OVERSAMPLE if kind in ROUNDED else (None,):
            rankings[factor] = {
                query_id: await first(engine, texts[query_id], vector, factor) for query_id, vector in vectors.items()
            }
        return Searched(stats["_all"]["primaries"]["store"]["size_in_bytes"] / 1e6, rankings)
    finally:
        await engine.delete_index(INDEX)


async def first(engine: RestEngine, text: str, vector: Vector, factor: float | None) -> list[str]:
    """The nearest documents."""
    request = SearchRequest(
        index=INDEX, query_text=text, query_vector=vector, retrievers=("knn",), size=WINDOW, oversample=factor
    )
    return [hit.doc_id for hit in (await HybridSearch(engine).search(request)).hits]


def kept(whole: Rankings, rankings: Rankings, depth: int) -> float:
    """Returns the share of the floats' first documents that are among the first here, over all queries."""
    shares = (len(set(whole[each][:depth]) & set(rankings[each][:depth])) / depth for each in whole)
    return sum(shares) / len(whole)


async def main() -> None:
    """A table for docs/vectors.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--engine", action="append", required=True)
    parser.add_argument(
        "--without", action="append", default=[], help="a kind to leave out; on_disk ends an OpenSearch"
    )
    options = parser.parse_args()
    rows: list[list[str]] = []
    async with open_sidecar("auto") as client:
        for address in options.engine:
            rows += await measure(address, BeirFolder(options.collection), client, options.without)
    header = ["engine", "vectors", "oversample", "nDCG@10", "of float's first 10", "of its first 100", "MB"]
    lines = [header, ["---"] * len(header), *rows]
    print("\n".join(f"| {' | '.join(line)} |" for line in lines))


if __name__ == "__main__":
    asyncio.run(main())
