"""Documents on their way to a server that refuses, limits or is busy, through both clients."""

import sqlite3

import pytest

from hybridrank.connector import EngineError
from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from hybridrank.connector.indexing import index_documents
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.types import Document
from hybridrank.index_templates import IndexDefinition
from tests.connector.bulk_server import BulkServer, bulk_server
from tests.connector.test_indexing import CountingEncoder


def document(doc_id: str, text: str = "word " * 200) -> Document:
    return Document(doc_id, {"title": "t", "text": text}, (1.0, 0.0))


@pytest.fixture
def server():
    with bulk_server(BulkServer()) as server:
        yield server


@pytest.fixture(params=[OpenSearchEngine, ElasticsearchEngine])
async def engine(request, server):
    engine = request.param(server.url)
    engine._writer.backoff_s = 0.01
    yield engine
    await engine.close()


async def test_a_413_halves_the_request_and_the_limit_is_learned(engine, server):
    server.limit = 20_000
    report = await engine.index_documents("big", [document(f"d{n}") for n in range(64)])
    assert (report.indexed, report.rejected) == (64, ())
    assert set(server.stored) == {f"d{n}" for n in range(64)}
    server.sizes.clear()
    await engine.index_documents("big", [document(f"e{n}") for n in range(64)])
    assert max(server.sizes) <= server.limit


async def test_a_document_that_is_too_large_is_named_with_its_size(engine, server):
    server.limit = 20_000
    documents = [document("a"), document("huge", "word " * 10_000), document("b")]
    report = await engine.index_documents("big", documents)
    assert set(server.stored) == {"a", "b"}
    assert report.indexed == 2
    (rejected,) = report.rejected
    assert rejected.doc_id == "huge"
    assert "50,0" in rejected.reason
    assert "413" in rejected.reason


async def test_the_second_of_two_documents_with_one_id_is_kept(engine, server):
    server.busy = {"a": 1}
    await engine.index_documents("big", [document("a", "first"), document("b"), document("a", "second")])
    assert server.stored["a"]["text"] == "second"
    assert set(server.stored) == {"a", "b"}


async def test_requests_are_cut_by_bytes(engine, server):
    engine._writer.max_bytes = 10_000
    await engine.index_documents("big", [document(f"d{n}") for n in range(64)])
    assert len(server.stored) == 64
    assert max(server.sizes) <= 10_000


async def test_a_request_refused_whole_is_taken_without_its_reason(engine, server):
    server.poison = {"d7"}
    report = await engine.index_documents("big", [document(f"d{n}") for n in range(16)])
    assert [each.doc_id for each in report.rejected] == ["d7"]
    assert "Validation Failed" in report.rejected[0].reason
    assert len(server.stored) == 15


async def test_only_documents_refused_as_busy_are_sent_again(engine, server):
    server.busy = {"d3": 2}
    report = await engine.index_documents("big", [document(f"d{n}") for n in range(8)])
    assert (report.indexed, report.rejected) == (8, ())
    assert len(server.sizes) == 3
    assert server.sizes[1] == server.sizes[2] < server.sizes[0] / 4


async def test_documents_that_stay_refused_are_rejected_by_name(engine, server):
    server.busy = {"d3": 1000}
    report = await engine.index_documents("big", [document(f"d{n}") for n in range(8)])
    assert [each.doc_id for each in report.rejected] == ["d3"]
    assert "busy 5 times: rejected execution" in report.rejected[0].reason
    assert len(server.stored) == 7


async def test_a_busy_server_is_asked_again(engine, server):
    server.busy_requests = 2
    assert (await engine.index_documents("big", [document("a")])).indexed == 1
    server.busy_requests = 1000
    report = await engine.index_documents("big", [document("b"), document("c")])
    assert [each.doc_id for each in report.rejected] == ["b", "c"]
    assert "data too large" in report.rejected[0].reason


IDS = ["", "x" * 513, "é" * 257, "half \ud83d", "é" * 256, "x" * 512, "ok"]


async def test_ids_that_no_engine_takes_are_named(engine, server):
    report = await engine.index_documents("ids", [document(doc_id) for doc_id in IDS])
    assert [each.doc_id for each in report.rejected] == IDS[:4]
    assert set(server.stored) == set(IDS[4:])
    assert ["empty" in each.reason for each in report.rejected] == [True, False, False, False]
    assert "514 bytes" in report.rejected[2].reason


async def test_the_embedded_engine_takes_the_same_ids(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    await engine.create_index("ids", IndexDefinition(2))
    report = await engine.index_documents("ids", [document(doc_id) for doc_id in IDS])
    assert [each.doc_id for each in report.rejected] == IDS[:4]
    assert await engine.refresh("ids") == 3


@pytest.mark.parametrize(
    "value", [float("nan"), "\ud83d", object(), {("a",): 1}], ids=["nan", "surrogate", "object", "key"]
)
async def test_values_that_json_cannot_hold_are_named(engine, server, tmp_path, value):
    odd = Document("odd", {"title": value})
    report = await engine.index_documents("odd", [odd, document("ok")])
    assert [each.doc_id for each in report.rejected] == ["odd"]
    assert set(server.stored) == {"ok"}
    embedded = EmbeddedEngine(tmp_path)
    await embedded.create_index("odd", IndexDefinition(2))
    assert [each.doc_id for each in (await embedded.index_documents("odd", [odd, document("ok")])).rejected] == ["odd"]
    assert await embedded.refresh("odd") == 1


async def test_bad_ids_are_rejected_before_they_are_encoded(tmp_path):
    encoder = CountingEncoder()
    documents = [Document("x" * 513, {"title": "tea", "text": ""}), Document("a", {"title": "milk", "text": ""})]
    cache = VectorCache(tmp_path / "vectors.sqlite3")
    report = await index_documents(EmbeddedEngine(tmp_path), encoder, "cups", documents, cache=cache)
    assert (report.indexed, len(report.rejected)) == (1, 1)
    assert encoder.encoded == ["milk"]


BLOCKS = {
    "index.blocks.write": "index [logs] blocked by: [FORBIDDEN/8/index write (api)];",
    "read_only_allow_delete": "index [logs] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage"
    " watermark, index has read-only-allow-delete block];",
}


@pytest.mark.parametrize("remedy", BLOCKS)
async def test_a_blocked_index_is_an_error_that_says_what_to_do(engine, server, remedy):
    status = 429 if "allow" in remedy else 403
    server.blocked = {"status": status, "error": {"type": "cluster_block_exception", "reason": BLOCKS[remedy]}}
    with pytest.raises(EngineError, match=remedy) as checked:
        await engine.check_writable("logs")
    with pytest.raises(EngineError, match=remedy) as written:
        await engine.index_documents("logs", [document("a")])
    assert checked.value.reason == written.value.reason == "not_writable"
    assert len(server.sizes) == 2  # neither is repeated


async def test_a_check_writes_nothing(engine, server):
    await engine.check_writable("logs")
    assert server.stored == {}
    assert len(server.sizes) == 1


async def test_a_missing_privilege_is_named(engine, server):
    error = {"type": "security_exception", "reason": "no permissions for [indices:data/write/index]"}
    server.blocked = {"status": 403, "error": error}
    with pytest.raises(EngineError, match="needs the privilege to write"):
        await engine.check_writable("logs")


async def test_an_answer_without_outcomes_is_an_error(engine, server):
    server.silent = True
    with pytest.raises(EngineError, match="what became of each document"):
        await engine.index_documents("logs", [document("a")])


async def test_an_embedded_index_that_another_writer_holds_is_named(tmp_path):
    engine = EmbeddedEngine(tmp_path, busy_timeout_s=0.05)
    await engine.create_index("held", IndexDefinition(2))
    with sqlite3.connect(tmp_path / "held" / "documents.sqlite3") as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(EngineError, match=r"'held'.*locked") as held:
            await engine.check_writable("held")
    assert held.value.reason == "not_writable"
