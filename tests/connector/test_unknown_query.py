"""A server that does not know a retriever's query: the others answer, and it is not asked again at each search."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from hybridrank.connector.engines.rest.refusals import Refusals
from hybridrank.connector.errors import EngineError, EngineTimeout
from hybridrank.connector.fusion import Rrf
from hybridrank.connector.queries.retrievers import Bm25Query
from hybridrank.connector.types import Retrieved
from tests.contracts.sparse import sparse

HEADERS = {"X-Elastic-Product": "Elasticsearch"}  # without it the client refuses
QUERIES = {"bm25": Bm25Query("tea", {"title": 1.0}, rank_window_size=10), "sparse": sparse(encoder=None)}
HIT = {"_index": "menu", "_id": "tea", "_score": 1.0, "_source": {}}
FOUND = {"took": 1, "timed_out": False, "hits": {"hits": [HIT]}}


class Server:
    """Refuses each request with a sparse query, as servers refuse what they cannot parse, and counts them.

    It is `slow` for BM25 alone, and waits until `together` requests of single queries are there.
    """

    def __init__(self) -> None:
        self.refused = self.searches = 0
        self.said = "unknown query [sparse_vector] did you mean [span_or]?"
        self.outer = ""
        self.slow = False
        self.together = 0
        self.waiting = 0
        self.all_there = asyncio.Event()

    async def mapping(self, _request: web.Request) -> web.Response:
        properties = {"title": {"type": "text"}, "sparse_vector": {"type": "sparse_vector"}}
        return web.json_response({"menu": {"mappings": {"properties": properties}}}, headers=HEADERS)

    async def msearch(self, request: web.Request) -> web.Response:
        self.searches += 1
        bodies = (await request.text()).strip().split("\n")[1::2]
        if len(bodies) == 1 and self.together:
            self.waiting += 1
            if self.waiting == self.together:
                self.all_there.set()
            await asyncio.wait_for(self.all_there.wait(), 5)
        if any("sparse_vector" in json.dumps(json.loads(body)["query"]) for body in bodies):
            self.refused += 1
            error: dict[str, Any] = {"type": "parsing_exception", "reason": self.said}
            outer = {"type": "x_content_parse_exception", "reason": self.outer}
            refusal = {"error": (outer if self.outer else error) | {"root_cause": [error]}, "status": 400}
            return web.json_response(refusal, status=400, headers=HEADERS)
        if self.slow:
            await asyncio.sleep(5)
        return web.json_response({"took": 1, "responses": [FOUND] * len(bodies)}, headers=HEADERS)


@pytest.fixture
async def server():
    return Server()


@pytest.fixture(params=[OpenSearchEngine, ElasticsearchEngine])
async def engine(request, server):
    app = web.Application()
    app.router.add_get("/{index}/_mapping", server.mapping)
    app.router.add_post("/_msearch", server.msearch)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    engine = request.param(f"http://127.0.0.1:{runner.addresses[0][1]}", timeout_s=1.0)
    yield engine
    await engine.close()
    await runner.cleanup()


@pytest.mark.parametrize("outer", ["", "[1:44] [bool] failed to parse field [must]"])
async def test_a_server_is_asked_once_for_a_query_it_does_not_know(engine, server, outer):
    server.outer = outer  # said where the query is inside a filtered one
    for _ in range(4):
        found = await engine.retrieve("menu", QUERIES)
        assert isinstance(found["bm25"], Retrieved)
        assert isinstance(found["sparse"], EngineError)
        assert (found["sparse"].status, "unknown query" in str(found["sparse"])) == (400, True)
    assert server.refused == 2  # together with the other query, and alone
    assert server.searches == 3 + 3
    with pytest.raises(EngineError, match="unknown query"):
        await engine.retrieve_fused("menu", QUERIES, Rrf())
    assert server.refused == 2


async def test_a_refusal_of_this_one_query_is_not_remembered(engine, server):
    server.said = "[sparse_vector] query_vector has a weight of 100"
    for _ in range(2):
        found = await engine.retrieve("menu", QUERIES)
        assert isinstance(found["sparse"], EngineError)
    assert server.refused == 4


async def test_single_queries_are_sent_at_the_same_time(engine, server):
    server.together = 2
    found = await engine.retrieve("menu", QUERIES)
    assert isinstance(found["bm25"], Retrieved)


async def test_a_timeout_is_no_refusal(engine, server):
    server.slow = True
    with pytest.raises(EngineTimeout):
        await engine.retrieve("menu", QUERIES)


def test_a_refusal_is_forgotten_after_some_minutes():
    now = 100.0
    refusals = Refusals(now=lambda: now)
    refusals.remember("docs", "sparse", EngineError("unknown query [neural_sparse]", status=400, reason="parsing"))
    found = refusals.of("docs", "sparse")
    assert found
    assert (str(found), found.reason, found.status) == ("unknown query [neural_sparse]", "parsing", 400)
    now += 299
    assert refusals.of("docs", "sparse")
    now += 2
    assert refusals.of("docs", "sparse") is None
