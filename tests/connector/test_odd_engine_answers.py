"""Engines, and what stands before them, that answer oddly: an answer that says what it lacks, or an error of ours."""

import pytest

from connector import ConnectorError, EngineError, HybridSearch, SearchRequest
from connector.engines.elasticsearch import ElasticsearchEngine
from connector.engines.opensearch import OpenSearchEngine
from tests.connector.fake_engine import ELASTIC, Reply, fake_engine

CLASSES = pytest.mark.parametrize("engine_class", [OpenSearchEngine, ElasticsearchEngine])
HIT = {"_index": "docs", "_id": "tea", "_score": 1.0, "_source": {"title": "Tea"}}
GOOD = {"hits": {"hits": [HIT]}, "_shards": {"total": 1, "successful": 1}}
MAPPING = {
    "docs": {
        "mappings": {
            "properties": {
                "title": {"type": "text"},
                "text": {"type": "text"},
                "vector": {"type": "dense_vector", "dims": 2},
                "other": {"type": "knn_vector", "dimension": 2},
            }
        }
    }
}
REQUEST = SearchRequest(index="docs", query_text="tea", retrievers=("bm25",))


async def searched(engine_class, msearch: Reply, mapping: Reply | None = None, **changes):
    def reply(asked):
        if asked.path.endswith("_mapping"):
            return mapping or Reply(200, MAPPING, ELASTIC)
        return msearch if asked.path == "/_msearch" else Reply(200, GOOD, ELASTIC)

    with fake_engine(reply) as server:
        engine = engine_class(server.url, timeout_s=5)
        try:
            return await HybridSearch(engine).search(REQUEST.model_copy(update=changes))
        finally:
            await engine.close()


@CLASSES
@pytest.mark.parametrize(
    "reply",
    [
        *[Reply(status, {"error": {"type": "x", "reason": "no"}, "status": status}) for status in (400, 401, 403, 404)],
        *[Reply(status, b"<html>no</html>", {"content-type": "text/html"}) for status in (408, 413, 429, 500, 502)],
        Reply(503),
        Reply(504, b"upstream"),
        Reply(302, headers={"location": "http://127.0.0.1:1/"}),
        Reply(200, b"<html>Log in</html>", {"content-type": "text/html"} | ELASTIC),
        Reply(200, b"hello", {"content-type": "text/plain"} | ELASTIC),
        *[Reply(200, body, ELASTIC) for body in ({}, [], None, b"", b'{"responses": [', {"responses": {}})],
        Reply(200, {"responses": [GOOD, GOOD]}, ELASTIC),
    ],
    ids=lambda reply: f"{reply.status}-{str(reply.body)[:24]}",
)
async def test_an_odd_answer_to_a_search_is_an_error_of_the_tree(engine_class, reply):
    with pytest.raises(ConnectorError):
        await searched(engine_class, reply)


@CLASSES
@pytest.mark.parametrize(
    "response",
    [
        {"error": {"type": "x", "reason": "no"}, "status": 400},
        {"error": "no", "status": "400"},
        {"error": None},
        {"error": {"reason": "no", "root_cause": []}, "status": "many"},
        {"error": {"root_cause": [None]}},
        {},
        {"hits": None},
        {"hits": {"hits": None}},
        {"hits": {"hits": [HIT | {"_score": None}]}},
        {"hits": {"hits": [{**HIT, "_id": ""}]}},
        {"hits": {"hits": [{name: value for name, value in HIT.items() if name != "_index"}]}},
        {"hits": {"hits": [HIT | {"_source": "text"}]}},
        None,
        "no",
    ],
    ids=str,
)
async def test_an_odd_response_costs_its_own_retriever_alone(engine_class, response):
    both = {"retrievers": ("bm25", "knn"), "query_vector": (0.6, 0.8)}
    name = "other" if engine_class is OpenSearchEngine else "vector"
    answer = await searched(
        engine_class, Reply(200, {"responses": [response, GOOD]}, ELASTIC), vector_field=name, **both
    )
    assert [hit.doc_id for hit in answer.hits] == ["tea"]
    assert [each.stage for each in answer.degraded] == ["bm25"]


@CLASSES
async def test_a_response_that_is_left_out_costs_its_own_retriever_alone(engine_class):
    both = {"retrievers": ("bm25", "knn"), "query_vector": (0.6, 0.8)}
    name = "other" if engine_class is OpenSearchEngine else "vector"
    answer = await searched(engine_class, Reply(200, {"responses": [GOOD]}, ELASTIC), vector_field=name, **both)
    assert [each.stage for each in answer.degraded] == ["knn"]


@CLASSES
@pytest.mark.parametrize("source", [{"_source": None}, {"_source": {"title": {"a": [None, 1]}, "text": None}}])
async def test_sources_of_other_shapes_are_hits_all_the_same(engine_class, source):
    answer = await searched(engine_class, Reply(200, {"responses": [{"hits": {"hits": [HIT | source]}}]}, ELASTIC))
    assert [hit.doc_id for hit in answer.hits] == ["tea"]


@CLASSES
@pytest.mark.parametrize("failures", [[{"reason": None}], [None], None, "many"])
async def test_a_failed_shard_without_a_reason_is_named_all_the_same(engine_class, failures):
    shards = {"total": 2, "successful": 1, "failed": 1, "failures": failures}
    answer = await searched(engine_class, Reply(200, {"responses": [GOOD | {"_shards": shards}]}, ELASTIC))
    assert [(each.stage, each.reason) for each in answer.degraded] == [("bm25", "partial")]


@CLASSES
@pytest.mark.parametrize(
    "mapping",
    [
        Reply(500, {"error": "no"}),
        Reply(403, {"error": {"type": "security_exception", "reason": "no"}}),
        Reply(200, {}, ELASTIC),
        Reply(200, b"<html>Log in</html>", {"content-type": "text/html"} | ELASTIC),
    ],
    ids=lambda reply: f"{reply.status}-{str(reply.body)[:24]}",
)
async def test_an_odd_mapping_is_an_error_of_the_tree(engine_class, mapping):
    with pytest.raises(EngineError if mapping.status != 200 else ConnectorError):
        await searched(engine_class, Reply(200, {"responses": [GOOD]}, ELASTIC), mapping)
