"""An alias that moves under a search: each part of a request reads it anew, so two parts may see two indices."""

from typing import Any

import pytest
from aiohttp import web

from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from hybridrank.connector.queries.documents import among
from hybridrank.connector.queries.retrievers import Bm25Query
from hybridrank.connector.types import DocumentKey

HEADERS = {"X-Elastic-Product": "Elasticsearch"}  # without it the client refuses
QUERIES = {name: Bm25Query("tea", {"title": 1.0}, rank_window_size=10) for name in ("title", "more")}


def hits(*names: str) -> dict[str, Any]:
    """Returns the answer of a search: documents by index/id."""
    found = [dict(zip(("_index", "_id"), name.split("/"), strict=True)) for name in names]
    return {
        "took": 1,
        "timed_out": False,
        "hits": {"hits": [each | {"_score": 1.0, "_source": each} for each in found]},
    }


class Server:
    """A server whose alias `shop` stands for `indices`, and that answers with what the test gives, the first first."""

    def __init__(self) -> None:
        self.indices = ["v1"]
        self.answers: list[list[dict[str, Any]]] = []
        self.asked: list[str] = []

    async def mapping(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        properties = {"title": {"type": "text"}}
        return web.json_response(
            {each: {"mappings": {"properties": properties}} for each in self.indices}, headers=HEADERS
        )

    async def search(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        (answer,) = self.answers.pop(0)
        return web.json_response(answer, headers=HEADERS)

    async def msearch(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        return web.json_response({"took": 1, "responses": self.answers.pop(0)}, headers=HEADERS)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture(params=[OpenSearchEngine, ElasticsearchEngine])
async def engine(request, server):
    app = web.Application()
    app.router.add_get("/{index}/_mapping", server.mapping)
    app.router.add_post("/{index}/_search", server.search)
    app.router.add_post("/_msearch", server.msearch)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    engine = request.param(f"http://127.0.0.1:{runner.addresses[0][1]}")
    yield engine
    await engine.close()
    await runner.cleanup()


async def ranked(engine) -> dict[str, list[str]]:
    found = await engine.retrieve("shop", QUERIES)
    return {name: [str(each.key) for each in answer.ranking] for name, answer in found.items()}


async def test_searches_that_saw_two_indices_are_sent_once_more(engine, server):
    server.answers = [[hits("v1/1"), hits("v1/1")], [hits("v1/1"), hits("v2/1")], [hits("v2/1"), hits("v2/1")]]
    assert await ranked(engine) == {"title": ["v1/1"], "more": ["v1/1"]}
    server.indices = ["v2"]
    assert await ranked(engine) == {"title": ["v2/1"], "more": ["v2/1"]}
    assert server.asked == ["/shop/_mapping", "/_msearch", "/_msearch", "/shop/_mapping", "/_msearch"]


async def test_a_moved_alias_is_reread_once_and_the_query_checked(engine, server):
    server.answers = [[hits(f"{index}/1")] * 2 for index in ("v1", "v2", "v2", "v2")]
    await ranked(engine)
    server.indices = ["v2"]
    assert await ranked(engine) == await ranked(engine) == {"title": ["v2/1"], "more": ["v2/1"]}
    assert server.asked.count("/shop/_mapping") == 2
    assert server.asked.count("/_msearch") == 4


async def test_documents_are_read_from_the_index_the_alias_has_left(engine, server):
    wanted = [DocumentKey("v1", "1"), DocumentKey("v2", "2")]
    server.indices = ["v2"]
    server.answers = [[hits("v2/2")], [hits("v1/1")]]
    assert set(await engine.sources("shop", wanted, ())) == set(wanted)
    assert server.asked[-1] == "/v1/_search"


async def test_a_document_that_was_deleted_is_not_looked_for_elsewhere(engine, server):
    """The alias may hide it: nothing behind its back is read while it stands for that index."""
    server.answers = [[hits()]]
    assert await engine.sources("shop", [DocumentKey("v1", "1")], ()) == {}
    assert "/v1/_search" not in server.asked


@pytest.mark.parametrize("ids", [["1"], ["1", "2"]])
def test_documents_are_asked_for_by_index_and_id(ids):
    keys = [DocumentKey(index, doc_id) for index in ("v1", "v2") for doc_id in ids]
    each = [{"bool": {"filter": [{"term": {"_index": index}}, {"ids": {"values": ids}}]}} for index in ("v1", "v2")]
    assert among(keys) == {"bool": {"should": each, "minimum_should_match": 1}}
    assert among(keys[: len(ids)]) == each[0]
    assert among([]) == {"match_none": {}}


async def test_hits_of_an_index_the_alias_has_left_are_ranked_again(engine, server):
    """Another search has read the mapping after the move, and this one still saw the old index in its first part."""
    server.indices = ["v2"]
    server.answers = [[hits("v1/1"), hits("v2/1")], [hits("v2/1"), hits("v2/1")]]
    assert await ranked(engine) == {"title": ["v2/1"], "more": ["v2/1"]}


async def test_hits_of_a_data_stream_are_those_of_its_backing_indices(engine, server):
    """In the shape in which both servers answer: hits and mapping name the indices behind the stream."""
    server.indices = [".ds-logs-000001", ".ds-logs-000002"]
    server.answers = [[hits(".ds-logs-000002/1", ".ds-logs-000001/1")] * 2, [hits(".ds-logs-000001/1")]]
    assert (await ranked(engine))["title"] == [".ds-logs-000001/1", ".ds-logs-000002/1"]
    key = DocumentKey(".ds-logs-000001", "1")
    assert set(await engine.sources("logs", [key], ())) == {key}
    assert server.asked == ["/shop/_mapping", "/_msearch", "/logs/_mapping", "/logs/_search"]
    assert await engine.indices("logs") == (".ds-logs-000001", ".ds-logs-000002")
