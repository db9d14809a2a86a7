import sqlite3
from dataclasses import replace

import pytest

from hybridrank.connector import EngineError, SidecarError
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.indexing import index_documents
from hybridrank.connector.indexing.splitting import Split
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.sidecar_client.client import ModelInfo
from hybridrank.connector.types import Document
from hybridrank.index_templates import IndexDefinition
from tests.doubles import WORDS, WordSidecar


class CountingEncoder(WordSidecar):
    """Counts the texts it encodes, and stops answering after `limit` of them."""

    def __init__(self, digest: str = "d1", limit: int = 10_000, comparable: tuple[str, ...] = ()) -> None:
        self.encoded: list[str] = []
        self.digest, self.limit, self.comparable = digest, limit, comparable

    async def models(self):
        info = ModelInfo(
            name="words",
            version="1",
            kind="encoder",
            digest=self.digest,
            precision="fp32",
            max_tokens=512,
            dimensions=len(WORDS),
            aliases=("encoder",),
        )
        return (replace(info, comparable_digests=self.comparable),)

    async def encode(self, texts, *, model, kind, timeout_s):
        if len(self.encoded) + len(texts) > self.limit:
            raise SidecarError("the sidecar went away")
        self.encoded += texts
        return await super().encode(texts, model=model, kind=kind, timeout_s=timeout_s)


@pytest.fixture
def engine(tmp_path):
    return EmbeddedEngine(tmp_path / "indices")


@pytest.fixture
def cache(tmp_path):
    return VectorCache(tmp_path / "vectors.sqlite3")


def documents(count: int) -> list[Document]:
    return [Document(f"d{place}", {"title": f"Cup {place}", "text": "hot tea"}) for place in range(count)]


async def test_every_document_is_encoded_and_written_once(engine, cache):
    encoder, seen = CountingEncoder(), []
    report = await index_documents(engine, encoder, "cups", documents(150), cache=cache, on_progress=seen.append)
    assert (report.indexed, report.encoded, report.unchanged, report.total_in_index) == (150, 150, 0, 150)
    assert encoder.encoded[0] == "Cup 0\nhot tea"
    assert sum(seen) == 150
    assert len(seen) > 1


async def test_a_second_run_does_nothing(engine, cache):
    await index_documents(engine, CountingEncoder(), "cups", documents(70), cache=cache)
    encoder = CountingEncoder()
    report = await index_documents(engine, encoder, "cups", documents(70), cache=cache)
    assert (report.indexed, report.unchanged, encoder.encoded) == (0, 70, [])


async def test_an_interrupted_run_goes_on_where_it_stopped(engine, cache):
    with pytest.raises(SidecarError):
        await index_documents(engine, CountingEncoder(limit=100), "cups", documents(150), cache=cache)
    encoder = CountingEncoder()
    report = await index_documents(engine, encoder, "cups", documents(150), cache=cache)
    assert (report.unchanged, report.indexed, len(encoder.encoded)) == (64, 86, 86)
    assert report.total_in_index == 150


async def test_only_what_changed_is_written(engine, cache):
    before = documents(10)
    await index_documents(engine, CountingEncoder(), "cups", before, cache=cache)
    after = [*before[:9], Document("d9", {"title": "Cup 9", "text": "cold milk"})]
    encoder = CountingEncoder()
    report = await index_documents(engine, encoder, "cups", after, cache=cache)
    assert (report.indexed, report.unchanged, encoder.encoded) == (1, 9, ["Cup 9\ncold milk"])


async def test_another_index_takes_the_vectors_from_the_cache(engine, cache):
    await index_documents(engine, CountingEncoder(), "cups", documents(10), cache=cache)
    encoder = CountingEncoder()
    report = await index_documents(engine, encoder, "mugs", documents(10), cache=cache)
    assert (report.indexed, report.encoded, encoder.encoded) == (10, 0, [])


async def test_another_precision_of_the_model_encodes_everything_anew(engine, cache):
    await index_documents(engine, CountingEncoder("d1"), "cups", documents(10), cache=cache)
    encoder = CountingEncoder("d2", comparable=("d1",))
    report = await index_documents(engine, encoder, "cups", documents(10), cache=cache)
    assert (report.indexed, len(encoder.encoded)) == (10, 10)


async def test_an_id_that_comes_twice_keeps_its_first_document(engine, cache):
    twice = [*documents(2), Document("d0", {"title": "Another cup", "text": ""})]
    report = await index_documents(engine, CountingEncoder(), "cups", twice, cache=cache)
    assert (report.indexed, report.duplicates, report.total_in_index) == (2, ("d0",), 2)


async def test_a_document_without_words_has_no_vector(engine, cache):
    report = await index_documents(
        engine, CountingEncoder(), "cups", [Document("empty", {"title": "", "text": ""})], cache=cache
    )
    assert (report.indexed, report.encoded) == (1, 0)


async def test_an_unknown_encoder_is_named(engine, cache):
    with pytest.raises(SidecarError, match="'gtr'; models loaded: words"):
        await index_documents(engine, CountingEncoder(), "cups", documents(1), cache=cache, model="gtr")


def test_the_cache_keeps_float32_vectors_by_model_and_text(cache):
    cache.put("m1", {"tea": (0.5, -1.25), "emoji 🦜 \ud800": (1.0,)})
    assert cache.get("m1", ["tea", "milk", "emoji 🦜 \ud800"]) == {"tea": (0.5, -1.25), "emoji 🦜 \ud800": (1.0,)}
    assert cache.get("m2", ["tea"]) == {}
    assert VectorCache(cache.file).get("m1", ["tea"]) == {"tea": (0.5, -1.25)}


async def test_the_embedded_engine_names_what_only_servers_can_hold(engine, cache):
    with pytest.raises(EngineError, match="one vector for a document"):
        await index_documents(engine, CountingEncoder(), "cups", documents(1), cache=cache, passages=Split(3, 1))
    with pytest.raises(EngineError, match="one vector for a document"):
        await engine.create_index("cups", IndexDefinition(3, vectors="byte"))


async def test_passages_and_token_vectors_exclude_each_other(engine, cache):
    with pytest.raises(ValueError, match="for whole documents"):
        await index_documents(
            engine, CountingEncoder(), "cups", documents(1), cache=cache, passages=Split(), token_vectors="int8"
        )


async def test_an_index_that_takes_no_writes_fails_before_encoding(engine, cache):
    await index_documents(engine, CountingEncoder(), "cups", documents(1), cache=cache)
    hurried, encoder = EmbeddedEngine(engine.path, busy_timeout_s=0.05), CountingEncoder()
    with sqlite3.connect(engine.path / "cups" / "documents.sqlite3") as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(EngineError, match="locked"):
            await index_documents(hurried, encoder, "cups", documents(90), cache=cache)
    assert encoder.encoded == []
