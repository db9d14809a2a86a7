"""Three nodes form a cluster; then one after the other goes and comes back, under searches and writes.

First the elected manager is stopped, then another node is killed, and so on. HYBRIDRANK_CHAOS_TURNS says how many go,
one by default; `make chaos` takes ten.
"""

import asyncio
import hashlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest

from hybridrank import index_templates
from hybridrank.connector import HybridSearch, SearchRequest, SearchResponse, connect_engine
from hybridrank.connector.engines.rest.engine import RestEngine
from hybridrank.connector.types import Degraded, Document
from hybridrank.local_engines import StartedEngine
from hybridrank.local_engines.process import is_running
from tests.contracts.passages import DEFINITION
from tests.live.indices import WORDS, documents
from tests.local_engines.available import server_or_skip

TURNS = int(os.environ.get("HYBRIDRANK_CHAOS_TURNS", "1"))
CALLERS = 4
PACE_S = 0.2  # between two requests of one caller: two cores have three servers to restart, too
BATCH = 50
PATIENCE_S = 120  # for a copy that went to be back
READ = 300  # documents of the indices that are only read


@dataclass
class Seen:
    """Results of the searches of one index."""

    responses: list[SearchResponse] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    async def next_ones_marked(self, count: int = 5) -> list[bool]:
        """Waits for the next searches and returns, for each, whether its answer lacked something."""
        start = len(self.responses) + 1  # one is under way
        while len(self.responses) < start + count:
            assert not self.errors
            await asyncio.sleep(0.05)
        return [bool(each.degraded) for each in self.responses[start:]]

    def degraded(self) -> list[Degraded]:
        return [lack for each in self.responses for lack in each.degraded]


async def make_index(engine: RestEngine, name: str, *, replicas: int) -> None:
    body = index_templates.render(engine.name, name, await engine._fitting(DEFINITION))
    settings = body["template"]["settings"]["index"]
    settings.pop("auto_expand_replicas")
    settings |= {"number_of_shards": 3, "number_of_replicas": replicas}
    await engine._send("PUT", f"/_index_template/hybridrank-{name}", body)
    await engine._send("PUT", f"/{name}", {})
    await green(engine, name)


async def green(engine: RestEngine, index: str) -> None:
    """Wait for every copy of its shards.

    After five failures a server tries no more to open a shard, and a busy machine has them: told to, it tries again.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + PATIENCE_S
    while (health := await engine._send("GET", f"/_cluster/health/{index}"))["status"] != "green":
        assert clock() < until, health
        await engine._send("POST", "/_cluster/reroute?retry_failed=true")
        await asyncio.sleep(0.5)


def written(number: int) -> Document:
    """The n-th document of the writer, the same every time."""
    random = Random(number)
    source = {"title": f"Note {number}", "text": " ".join(random.choices(WORDS, k=8))}
    return Document(f"n{number:06}", source, tuple(random.gauss(0, 1) for _ in range(3)))


async def write(engine: RestEngine, index: str, stop: asyncio.Event) -> int:
    """Write batch after batch until it is time to stop; returns how many documents the engine took, all of them."""
    count = 0
    while not stop.is_set():
        report = await engine.index_documents(index, [written(count + place) for place in range(BATCH)])
        assert report.rejected == ()
        count += report.indexed
        await asyncio.sleep(PACE_S)
    return count


async def search(search: HybridSearch, index: str, seen: Seen, stop: asyncio.Event, seed: int) -> None:
    random = Random(seed)
    while not stop.is_set():
        request = SearchRequest(
            index=index,
            query_text=" ".join(random.sample(WORDS, 3)),
            query_vector=tuple(random.gauss(0, 1) for _ in range(3)),
        )
        try:
            seen.responses.append(await search.search(request))
        except Exception as error:
            seen.errors.append(error)
        await asyncio.sleep(PACE_S)


async def digest(engine: RestEngine, index: str, count: int) -> str:
    """Of the ids and fields of all that was written, as they are stored."""
    sha256 = hashlib.sha256()
    for start in range(0, count, 500):
        wanted = [written(number).doc_id for number in range(start, min(start + 500, count))]
        answer = await engine._send("POST", f"/{index}/_mget?_source_excludes=vector", {"ids": wanted})
        for each in answer["docs"]:
            sha256.update(repr((each["_id"], sorted(each["_source"].items()))).encode())
    return sha256.hexdigest()


def expected_digest(count: int) -> str:
    sha256 = hashlib.sha256()
    for document in map(written, range(count)):
        stored = {**document.source, index_templates.ID_FIELD: document.doc_id}
        sha256.update(repr((document.doc_id, sorted(stored.items()))).encode())
    return sha256.hexdigest()


async def shards_missing(engine: RestEngine, index: str, *, nodes: int) -> int:
    """Returns how many of its three shards are missing, once the cluster knows how many nodes it has left."""
    health = await engine._send("GET", f"/_cluster/health/{index}?wait_for_nodes={nodes}&timeout=60s")
    return 3 - health["active_primary_shards"]


async def victim(engine: RestEngine, cluster: StartedEngine, *, elected: bool) -> str:
    """The node that is elected to manage the cluster, or one that is not."""
    manager = (await engine._send("GET", "/_cluster/state/master_node"))["master_node"]
    manages = {
        node["name"]: identity == manager for identity, node in (await engine._send("GET", "/_nodes"))["nodes"].items()
    }
    return next(node.name for node in cluster.nodes if manages[node.name] == elected)


@pytest.fixture(scope="module", params=["opensearch", "elasticsearch"])
def cluster(request) -> Iterator[StartedEngine]:
    """Three nodes, whose processes are gone afterwards."""
    with server_or_skip(request.param, nodes=3, heap_mb=512) as cluster:
        yield cluster
        processes = [cluster.process(node.name) for node in cluster.nodes]
    assert not any(is_running(each) for each in processes)


async def test_three_nodes_form_one_cluster(cluster):
    assert len({node.process.pid for node in cluster.nodes}) == 3
    operator = await connect_engine(cluster.url, timeout_s=90)
    try:
        for node in cluster.nodes:
            one = await connect_engine(node.url)
            members = (await one._send("GET", "/_nodes"))["nodes"].values()
            assert {member["name"] for member in members} == {"node-1", "node-2", "node-3"}
            await one.close()
        await operator._send("PUT", "/spread", {"settings": {"number_of_shards": 3, "number_of_replicas": 1}})
        await green(operator, "spread")
        assert (await operator._send("GET", "/_cluster/health/spread"))["active_shards"] == 6
    finally:
        await operator.close()


@pytest.mark.timeout(300 + 120 * TURNS)
async def test_nodes_go_and_come_back_under_load(cluster):
    address = "http://" + ",".join(node.url.removeprefix("http://") for node in cluster.nodes)
    reader = await connect_engine(address, timeout_s=30)
    writer, operator = [await connect_engine(address, timeout_s=90) for _ in range(2)]  # writes wait for a primary
    try:
        await make_index(operator, "copied", replicas=1)
        await make_index(operator, "single", replicas=0)
        await make_index(operator, "written", replicas=1)
        for index in ("copied", "single"):
            await reader.index_documents(index, documents(READ))
            assert await reader.refresh(index) == READ
        stop = asyncio.Event()
        copied, single = Seen(), Seen()
        fusions = ("client", "native") if operator.name == "opensearch" else ("client",)
        searches = [HybridSearch(reader, fusion=fusions[caller % len(fusions)]) for caller in range(CALLERS)]
        load = [
            *(asyncio.create_task(search(each, "copied", copied, stop, n)) for n, each in enumerate(searches)),
            asyncio.create_task(search(HybridSearch(reader), "single", single, stop, CALLERS)),
        ]
        writing = asyncio.create_task(write(writer, "written", stop))
        for turn in range(TURNS):
            assert not any(await single.next_ones_marked())
            node = await victim(operator, cluster, elected=turn % 2 == 0)
            if turn % 2:
                os.kill(cluster.process(node).pid, signal.SIGKILL)
            await asyncio.to_thread(cluster.stop_node, node)
            missing = await shards_missing(operator, "single", nodes=len(cluster.nodes) - 1)
            assert {*(await single.next_ones_marked())} == {bool(missing)}
            await asyncio.to_thread(cluster.start_node, node)
            for index in ("copied", "single", "written"):
                await green(operator, index)
        stop.set()
        await asyncio.gather(*load)
        count = await writing
        assert copied.errors == single.errors == []
        assert {lack.detail for lack in copied.degraded()} == set()
        assert {lack.reason for lack in single.degraded()} <= {"partial"}
        assert all(response.hits for response in copied.responses)
        assert await writer.refresh("written") == count
        assert await digest(writer, "written", count) == expected_digest(count)
        with_vector = await writer._send("POST", "/written/_count", {"query": {"exists": {"field": "vector"}}})
        assert with_vector["count"] == count > 0
    finally:
        for each in (reader, writer, operator):
            await each.close()
    print(
        f"{operator.name}: {len(copied.responses)} searches with replicas and {len(single.responses)} without,"
        f" {len(single.degraded())} marks; {count} documents written; {TURNS} nodes gone and back"
    )
