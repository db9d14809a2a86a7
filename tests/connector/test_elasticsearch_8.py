"""One client for Elasticsearch 8 and 9: a server of version 8 refuses the media types of a client of version 9."""

import json
import re

import pytest

from hybridrank.connector import Document, HybridSearch, SearchRequest, connect_engine
from tests.connector.fake_engine import ELASTIC, Asked, Reply, fake_engine

_VERSION = re.compile(r"compatible-with=(\d+)")
MAPPING = {
    "properties": {
        "title": {"type": "text"},
        "text": {"type": "text"},
        "vector": {"type": "dense_vector", "dims": 2},
    }
}
HIT = {"_index": "docs", "_id": "tea", "_score": 1.0, "_source": {"title": "Tea"}}
FOUND = {"hits": {"hits": [HIT]}, "_shards": {"total": 1, "successful": 1}, "status": 200}


def elasticsearch_8(asked: Asked) -> Reply:
    """As a server of version 8 answers: it takes its own version of the API and the one before."""
    media = {name: asked.headers.get(name, "") for name in ("accept", "content-type")}
    wanted = {name: match[1] for name, value in media.items() if (match := _VERSION.search(value))}
    if any(version not in ("7", "8") for version in wanted.values()):
        names = ", ".join(name.title() for name in wanted)
        reason = f"Invalid media-type value on headers [{names}]"
        error = {"type": "media_type_header_exception", "reason": reason}
        return Reply(400, {"error": error | {"root_cause": [error]}, "status": 400}, ELASTIC)
    if asked.path == "/_bulk":
        assert media["content-type"] == "application/x-ndjson"
        actions = [json.loads(line) for line in asked.body.splitlines()][::2]
        items = [{"index": {"_id": each["index"]["_id"], "status": 201}} for each in actions]
        return Reply(200, {"errors": False, "items": items}, ELASTIC)
    if asked.path == "/_msearch":
        searches = len(asked.body.splitlines()) // 2
        return Reply(200, {"responses": [FOUND] * searches}, ELASTIC)
    answers = {
        "/_nodes/_local": {"nodes": {"n": {"version": "8.19.7"}}},
        "/_nodes/_local/http": {"nodes": {"n": {"version": "8.19.7"}}},
        "/docs/_mapping": {"docs": {"mappings": MAPPING}},
        "/docs/_search": FOUND,
        "/_analyze": {"tokens": []},
    }
    return Reply(200, answers[asked.path], ELASTIC)


@pytest.fixture
async def engine():
    with fake_engine(elasticsearch_8) as server:
        engine = await connect_engine(server.url)
        yield engine
        await engine.close()
        assert not [each for each in server.asked if "compatible-with" in str(each.headers)]


async def test_a_search_and_writes_reach_a_server_of_version_8(engine):
    request = SearchRequest(index="docs", query_text="tea", query_vector=(0.6, 0.8))
    response = await HybridSearch(engine).search(request)
    assert [hit.doc_id for hit in response.hits] == ["tea"]
    assert response.degraded == ()
    report = await engine.index_documents("docs", [Document("tea", {"title": "Tea"})])
    assert (report.indexed, report.rejected) == (1, ())
    assert (await engine.info()).version == "8.19.7"
