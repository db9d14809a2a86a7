"""The note of an index's encoder on real servers: written, kept, read, and seen through an alias that moves."""

import uuid

import pytest

from hybridrank.connector import HybridSearch, SearchRequest, connect_engine
from hybridrank.connector.admin.aliases import plan_swap, swap
from hybridrank.connector.errors import EngineError
from hybridrank.connector.indexing import index_documents
from hybridrank.connector.indexing.splitting import Split
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.types import Document
from hybridrank.index_templates import IndexDefinition
from tests.connector.test_encoders import BGE, MINILM, TEXTS, NamedSidecar
from tests.doubles import WORDS

DOCUMENTS = [Document(doc_id, {"title": "", "text": text}) for doc_id, text in TEXTS.items()]


@pytest.fixture
async def engine(engine_url):
    engine = await connect_engine(engine_url)
    yield engine
    await engine.close()


@pytest.fixture
async def name(engine):
    """The beginning of the names that a test uses; what they stand for is removed."""
    name = f"encoders-{uuid.uuid4().hex[:12]}"
    yield name
    for index in await engine.request("GET", f"/{name}*"):
        await engine.delete_index(index)


@pytest.fixture
def index(engine, tmp_path):
    async def index(name, note, **more):
        cache = VectorCache(tmp_path / "vectors.sqlite3")
        return await index_documents(engine, NamedSidecar(note, until=99), name, DOCUMENTS, cache=cache, **more)

    return index


def request(name: str, **changes) -> SearchRequest:
    return SearchRequest(index=name, query_text="hot tea", **changes)


async def test_each_field_notes_its_encoder_and_keeps_the_note(engine, name, index):
    more = {"passages": Split(3, 1), "vector_fields": {"title_vector": ("text",)}}
    await index(name, MINILM, **more)
    noted = {"passages.vector": MINILM, "title_vector": MINILM}
    assert (await engine.fields(name)).encoders == {name: noted}
    await index(name, MINILM, **more, definition=IndexDefinition(boosts={"text": 2.0}))
    found = await engine.fields(name)
    assert (found.encoders, found.boosts["text"]) == ({name: noted}, 2.0)
    for field in ("vector", "title_vector"):
        response = await HybridSearch(engine, NamedSidecar(BGE)).search(request(name, vector_field=field))
        assert [(each.stage, each.reason) for each in response.degraded] == [("knn", "wrong_encoder")]


async def test_documents_of_another_encoder_change_nothing(engine, name, index):
    await index(name, MINILM)
    template = await engine.template(name)
    with pytest.raises(EngineError, match="not of bge") as caught:
        await index(name, BGE)
    assert caught.value.reason == "wrong_encoder"
    assert await engine.template(name) == template
    assert (await engine.fields(name)).encoders == {name: {"vector": MINILM}}


@pytest.mark.parametrize("size", [1, 200], ids=["ids by column", "documents"])
async def test_an_alias_that_moves_to_another_encoder_is_noticed(engine, name, index, size):
    await index(f"{name}-1", MINILM)
    await index(f"{name}-2", BGE)
    await swap(engine, await plan_swap(engine, name, f"{name}-1"))
    search = HybridSearch(engine, NamedSidecar(MINILM, until=99))
    assert (await search.search(request(name, size=size))).degraded == ()
    elsewhere = await connect_engine(engine.url)
    plan = await plan_swap(elsewhere, name, f"{name}-2")
    assert any("were made by minilm" in note and "now by bge" in note for note in plan.notes)
    await swap(elsewhere, plan)
    await elsewhere.close()
    response = await search.search(request(name, size=size))
    assert [(each.stage, each.reason) for each in response.degraded] == [("knn", "wrong_encoder")]
    assert response.hits


async def test_an_index_of_somebody_else_can_note_its_encoder(engine, name, index):
    await engine.create_index(name, IndexDefinition(len(WORDS)))
    meta = {"_meta": {"team": "search"}}
    await engine.request("PUT", f"/{name}/_mapping", meta)
    await engine.note_encoder(name, ["vector"], MINILM)
    mapping = (await engine.request("GET", f"/{name}/_mapping"))[name]["mappings"]
    assert mapping["_meta"]["team"] == "search"
    assert (await engine.fields(name)).encoders == {name: {"vector": MINILM}}
