"""Engines, and what stands before them, that answer oddly: an answer that says what it lacks, or an error of ours."""

import asyncio
import json
from contextlib import contextmanager, suppress
from dataclasses import asdict
from time import perf_counter

import pytest

from hybridrank.connector import (
    ConnectorError,
    EngineError,
    EngineTimeout,
    HybridSearch,
    QueryRescore,
    SearchRequest,
    SyncHybridSearch,
)
from hybridrank.connector.admin.aliases import plan_swap
from hybridrank.connector.admin.similarity import bm25_settings
from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from hybridrank.connector.types import Document, DocumentKey
from hybridrank.index_templates import EncoderNote, IndexDefinition
from tests.connector.fake_engine import ELASTIC, Reply, fake_engine

DEEP = b'{"responses": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
CLASSES = pytest.mark.parametrize("engine_class", [OpenSearchEngine, ElasticsearchEngine])
HIT = {"_index": "docs", "_id": "tea", "_score": 1.0, "_source": {"title": "Tea"}}
KEY = DocumentKey("docs", "tea")
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


def shown(reply: Reply) -> str:
    return f"{reply.status}-{str(reply.body)[:24]}-{reply.sending}"


def ok(body, **how) -> Reply:
    return Reply(200, body, ELASTIC, **how)


def hit(**changes) -> dict[str, object]:
    """A good hit with these changes; `...` takes a member away."""
    return {name: value for name, value in (HIT | changes).items() if value is not ...}


def of(*hits, **more) -> dict[str, object]:
    """One response that holds these hits."""
    return {"hits": {"hits": list(hits)}, **more}


@contextmanager
def serving(msearch: Reply, mapping: Reply | None = None, page: Reply | None = None):
    def reply(asked):
        if asked.path.endswith("_mapping"):
            return mapping or ok(MAPPING)
        return msearch if asked.path == "/_msearch" else page or ok(GOOD)

    with fake_engine(reply) as server:
        yield server


async def searched(engine_class, msearch: Reply, mapping: Reply | None = None, page: Reply | None = None, **changes):
    with serving(msearch, mapping, page) as server:
        engine = engine_class(server.url, timeout_s=5)
        try:
            answer = await HybridSearch(engine).search(REQUEST.model_copy(update=changes))
        finally:
            await engine.close()
    json.dumps(asdict(answer), allow_nan=False, ensure_ascii=False).encode()  # what every caller does with it
    return answer


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
        *[Reply(400, body) for body in ([1], None, 5, {"error": None}, {"error": {"type": None}}, b"{", DEEP)],
        *[ok(body) for body in ({}, [], None, b"", b'{"responses": [', {"responses": {}}, DEEP)],
        ok(b'{"responses": [1' + b"0" * 5000 + b"]}"),
        *[ok({"responses": [of(hit())]}, sending=sending) for sending in ("closed", "reset")],
        Reply(200, {"responses": [GOOD, GOOD]}, ELASTIC),
    ],
    ids=shown,
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
        *[of(hit(_score=score)) for score in (None, "1", float("nan"), float("inf"), -float("inf"), 10**400, ...)],
        *[of(hit(_id=doc_id)) for doc_id in ("", None, 5, [], ...)],
        *[of(hit(_id=..., fields=fields)) for fields in (None, "x", {"hybridrank_id": None}, {"hybridrank_id": [1]})],
        of(hit(_index=...)),
        of(hit(_source="text")),
        *[of(hit(inner_hits=inner)) for inner in ([1], {"bm25": None}, {"bm25": of({"_nested": None})})],
        of(hit(inner_hits={"bm25": of({"_nested": {"offset": 0}, "_source": None})})),
        of(hit(), aggregations=[1]),
        of(hit(), profile=[1]),
        {"error": {"root_cause": [{"type": None, "reason": None}]}, "status": 500},
        None,
        "no",
    ],
    ids=ascii,
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
async def test_a_missing_response_costs_only_its_own_retriever(engine_class):
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
async def test_an_id_that_stands_twice_is_one_hit_with_the_best_score(engine_class):
    twice = of(hit(_score=0.5, _source={"title": "worse"}), hit(_source={"title": "best"}))
    answer = await searched(engine_class, ok({"responses": [twice]}), size=100)
    assert [(each.doc_id, each.source) for each in answer.hits] == [("tea", {"title": "best"})]


@CLASSES
@pytest.mark.parametrize("size", [10, 100], ids=["sources by page", "sources with the ranking"])
async def test_half_a_surrogate_pair_is_read_as_a_replacement(engine_class, size):
    odd = of(hit(_source={"title": "tea \ud83d", "\ude00": ["\ud83d", "😀"]}, highlight={"title": ["<em>\ud83d</em>"]}))
    counted = odd | {"aggregations": {"kinds": {"buckets": [{"key": "\ud83d"}]}}}
    aggregations = {"kinds": {"terms": {"field": "title"}}}
    answer = await searched(
        engine_class,
        ok({"responses": [counted]}),
        page=ok(odd),
        size=size,
        highlight=("title",),
        aggregations=aggregations,
    )
    (only,) = answer.hits
    assert only.source == {"title": "tea \ufffd", "\ufffd": ["\ufffd", "😀"]}
    assert only.highlights == {"title": ("<em>\ufffd</em>",)}
    assert answer.aggregations == {"kinds": {"buckets": [{"key": "\ufffd"}]}}
    assert answer.degraded == ()


@CLASSES
async def test_bytes_that_are_not_utf8_are_read_as_replacements(engine_class):
    body = json.dumps({"responses": [of(hit(_source={"title": "caf@"}))]}).encode().replace(b"@", b"\xe9")
    answer = await searched(engine_class, ok(body), size=100)
    assert [each.source for each in answer.hits] == [{"title": "caf\ufffd"}]


@CLASSES
@pytest.mark.parametrize(
    "page",
    [
        Reply(500, {"error": "no"}, ELASTIC),
        *[ok(body) for body in ({}, [], {"hits": None}, {"hits": {"hits": None}}, of(None), of(hit(_index=...)), DEEP)],
        *[
            ok(of(hit(_source={"title": "Coffee"}, **odd)))
            for odd in ({"_id": None}, {"_id": "coffee"}, {"_index": "b"})
        ],
        *[ok(of(hit(highlight=odd))) for odd in (None, "x", {"title": None}, {"title": [1]})],
        *[ok(of(hit()), sending=sending) for sending in ("closed", "reset")],
    ],
    ids=shown,
)
async def test_an_odd_page_costs_no_hit_and_shows_no_other_source(engine_class, page):
    answer = await searched(engine_class, ok({"responses": [GOOD]}), page=page, highlight=("title",))
    assert [(each.doc_id, each.source) for each in answer.hits] == [("tea", HIT["_source"])]
    assert {each.stage for each in answer.degraded} <= {"source", "highlight"}
    assert answer.degraded


@CLASSES
@pytest.mark.parametrize("sending", ["never", "trickled"])
@pytest.mark.parametrize("part", ["msearch", "mapping", "page"])
async def test_no_search_outlasts_its_time(engine_class, part, sending):
    late = {"msearch": {"responses": [GOOD]}, "mapping": MAPPING, "page": GOOD}[part]
    replies = {"msearch": ok({"responses": [GOOD]})} | {part: ok(late, sending=sending)}
    began = perf_counter()
    if part == "page":
        answer = await searched(engine_class, **replies, timeout_s=0.5)
        assert [(each.stage, each.reason) for each in answer.degraded] == [("source", "timeout")]
        assert [each.doc_id for each in answer.hits] == ["tea"]
    else:
        with pytest.raises(EngineTimeout):
            await searched(engine_class, **replies, timeout_s=0.5)
    assert perf_counter() - began < 2


@CLASSES
@pytest.mark.parametrize("sending", ["never", "trickled"])
async def test_without_a_limit_of_its_own_a_search_has_the_engines(engine_class, sending):
    with serving(ok({"responses": [GOOD]}, sending=sending)) as server:
        engine = engine_class(server.url, timeout_s=0.5)
        with pytest.raises(EngineTimeout):
            await HybridSearch(engine).search(REQUEST)
        await engine.close()


@CLASSES
@pytest.mark.parametrize(
    "msearch",
    [ok({"responses": [GOOD]}, sending="never"), ok({"responses": [GOOD]}, sending="closed"), ok(DEEP)],
    ids=shown,
)
async def test_synchronous_searches_raise_the_same_errors(engine_class, msearch):
    request = REQUEST.model_copy(update={"timeout_s": 0.5})

    def search():
        with serving(msearch) as server, SyncHybridSearch(engine_class(server.url)) as search:
            search.search(request)

    with pytest.raises(EngineError) as asynchronous:
        await searched(engine_class, msearch, timeout_s=0.5)
    with pytest.raises(type(asynchronous.value)):
        await asyncio.to_thread(search)


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
        *[ok(body) for body in ([], {"docs": None}, {"docs": {}}, {"docs": {"mappings": None}}, DEEP)],
        *[ok({"docs": {"mappings": {"properties": odd}}}) for odd in (None, {"title": None}, {"title": "text"})],
        *[ok({"docs": {"mappings": {"properties": {"v": odd}}}}) for odd in ({"dims": "many"}, {"type": "alias"})],
        *[ok(MAPPING, sending=sending) for sending in ("closed", "reset")],
    ],
    ids=shown,
)
async def test_an_odd_mapping_is_an_error_of_the_tree(engine_class, mapping):
    with pytest.raises(EngineError if mapping.status != 200 else ConnectorError):
        await searched(engine_class, Reply(200, {"responses": [GOOD]}, ELASTIC), mapping)


@CLASSES
@pytest.mark.parametrize("meta", [[], {"hybridrank": "x"}, {"hybridrank": {"boosts": [], "encoders": 3}}], ids=str)
async def test_a_note_in_a_mapping_may_be_anything(engine_class, meta):
    mapping = {"docs": {"mappings": MAPPING["docs"]["mappings"] | {"_meta": meta}}}
    answer = await searched(engine_class, ok({"responses": [GOOD]}), ok(mapping))
    assert [each.doc_id for each in answer.hits] == ["tea"]


@CLASSES
@pytest.mark.parametrize("score", [b"1e999", b"NaN", b'"x"', b"1" + b"0" * 400], ids=lambda score: score[:5].decode())
async def test_an_odd_score_of_a_second_query_costs_its_stage_alone(engine_class, score):
    stage = QueryRescore(by={"kind": "phrase", "name": "words", "field": "title"})
    page = b'{"hits": {"hits": [{"_index": "docs", "_id": "tea", "matched_queries": {"words": ' + score + b"}}]}}"
    answer = await searched(engine_class, ok({"responses": [GOOD]}), page=ok(page), rescore=stage)
    assert [(each.stage, each.reason) for each in answer.degraded] == [("rescore", "bad_answer")]
    assert [each.doc_id for each in answer.hits] == ["tea"]


@CLASSES
@pytest.mark.parametrize("packed", ["not base64!", 5, ["x"], {}, None], ids=str)
async def test_token_vectors_of_another_shape_are_never_returned(engine_class, packed):
    page = ok(of(hit(_source={"token_vectors": packed})))
    with serving(ok({}), page=page) as server:
        engine = engine_class(server.url)
        try:
            if packed:
                with pytest.raises(EngineError):
                    await engine.stored_token_vectors("docs", [KEY])
            else:
                assert await engine.stored_token_vectors("docs", [KEY]) == {}
        finally:
            await engine.close()


@CLASSES
@pytest.mark.parametrize(
    "call",
    [
        lambda engine: engine.info(),
        lambda engine: engine.create_index("docs", IndexDefinition(2)),
        lambda engine: engine.index_documents("docs", [Document("a", {"title": "Tea"})]),
        lambda engine: engine.refresh("docs"),
        lambda engine: engine.stored_digests("docs", ["a"]),
        lambda engine: engine.note_encoder("docs", ["vector"], EncoderNote("e", "digest")),
        lambda engine: bm25_settings(engine, "docs"),
        lambda engine: plan_swap(engine, "shop", "docs", queries=["tea"]),
    ],
    ids=["info", "create", "write", "refresh", "digests", "note", "bm25", "swap"],
)
async def test_administration_meets_odd_answers_with_no_other_error(engine_class, call):
    odd = [{}, [], {"docs": None}, {"docs": {}}, {"items": [None], "docs": [None], "count": None, "nodes": {"n": None}}]
    for answer in odd:
        for knows_mapping in (False, True):

            def reply(asked, answer=answer, knows_mapping=knows_mapping):
                is_mapping = asked.method == "GET" and asked.path.endswith("_mapping")
                return ok(MAPPING if knows_mapping and is_mapping else answer)

            with fake_engine(reply) as server:
                engine = engine_class(server.url)
                try:
                    with suppress(EngineError):  # and nothing else
                        await call(engine)
                finally:
                    await engine.close()
