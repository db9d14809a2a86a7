"""Vectors on real servers: smaller ones, several for a document, and one for each passage of a long one."""

import uuid

import pytest

from hybridrank import index_templates
from hybridrank.connector import HybridSearch, Rescore, SearchRequest, Term, connect_engine
from hybridrank.connector.engines.rest.engine import RestEngine
from hybridrank.connector.errors import EngineError, SearchFailed
from hybridrank.connector.indexing import index_documents
from hybridrank.connector.indexing.splitting import Split
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.types import Document, DocumentKey
from hybridrank.index_templates import IndexDefinition
from hybridrank.index_templates.vectors import VECTOR_KINDS, lacks
from hybridrank.ltr_features import CandidateFacts, FeatureQuery, FeatureSet, matrix
from tests.connector.test_indexing import CountingEncoder
from tests.doubles import WORDS

DIMENSIONS = 64


@pytest.fixture
async def engine(engine_url):
    engine = await connect_engine(engine_url)
    assert isinstance(engine, RestEngine)
    yield engine
    await engine.close()


@pytest.fixture
async def index(engine):
    name = f"vectors-{uuid.uuid4().hex[:12]}"
    yield name
    await engine.delete_index(name)


@pytest.fixture
def cache(tmp_path):
    return VectorCache(tmp_path / "vectors.sqlite3")


def spoke(angle: int) -> tuple[float, ...]:
    """Vectors of which each next one is a little farther from the first."""
    return tuple(1.0 if place >= angle else -1.0 for place in range(DIMENSIONS))


async def available(engine, kind: str) -> bool:
    """True if the server can store such vectors; OpenSearch needs faiss for `on_disk`, which is not installed here."""
    info = await engine.info()
    return not lacks(engine.name, info.version, DIMENSIONS, kind) and kind != "on_disk"


@pytest.mark.parametrize("kind", VECTOR_KINDS)
async def test_smaller_vectors_are_searched_and_compared_as_floats_are(engine, index, kind):
    definition = IndexDefinition(DIMENSIONS, vectors=kind)
    if not await available(engine, kind):
        if kind != "on_disk" or engine.name == "elasticsearch":  # OpenSearch itself has it, with native libraries
            with pytest.raises(EngineError, match=r"has no vectors of kind|licence"):
                await engine.create_index(index, definition)
        return
    assert await engine.create_index(index, definition)
    assert not await engine.create_index(index, definition)
    documents = [Document(f"d{angle}", {"text": "tea", "even": angle % 2 == 0}, spoke(angle)) for angle in range(20)]
    assert (await engine.index_documents(index, documents)).rejected == ()
    await engine.refresh(index)
    near_first = SearchRequest(
        index=index, query_text="tea", query_vector=spoke(0), retrievers=("knn",), size=5, oversample=3
    )
    response = await HybridSearch(engine).search(near_first)
    assert response.degraded == ()
    assert [hit.doc_id for hit in response.hits] == ["d0", "d1", "d2", "d3", "d4"]
    cosine = 1 - 2 * 4 / DIMENSIONS
    assert response.hits[4].retrievers["knn"].score == pytest.approx((1 + cosine) / 2, abs=0.05)
    assert all("vector" not in hit.source for hit in response.hits)
    filtered = near_first.model_copy(update={"filters": (Term("even", True),)})
    assert [hit.doc_id for hit in (await HybridSearch(engine).search(filtered)).hits][:3] == ["d0", "d2", "d4"]
    features = FeatureSet.model_validate(
        {"name": "near", "features": [{"name": "cosine", "kind": "vector_similarity", "field": "vector"}]}
    )
    query = FeatureQuery("tea", spoke(0))
    answer = await engine.extract(index, features, query, [DocumentKey(index, each) for each in ("d4", "d8")])
    rows = matrix(features, query, [CandidateFacts(each, {}, 1, 1.0, index=index) for each in ("d4", "d8")], answer)
    assert [row[0] for row in rows] == pytest.approx([cosine, 1 - 2 * 8 / DIMENSIONS], abs=0.1)


async def test_an_index_that_holds_vectors_otherwise_is_refused(engine, index):
    await engine.create_index(index, IndexDefinition(DIMENSIONS))
    with pytest.raises(EngineError, match="holds vector otherwise than as int8"):
        await engine.create_index(index, IndexDefinition(DIMENSIONS, vectors="int8"))
    with pytest.raises(EngineError, match=r"was made without passages\.vector, its vectors are in vector"):
        await engine.create_index(index, IndexDefinition(DIMENSIONS, passages=True))


async def test_a_further_vector_field_is_searched_by_its_name(engine, index, cache):
    documents = [
        Document("one", {"title": "tea", "text": "milk"}),
        Document("two", {"title": "milk", "text": "tea tea"}),
    ]
    await index_documents(
        engine, CountingEncoder(), index, documents, cache=cache, vector_fields={"title_vector": ("title",)}
    )
    whole = {"index": index, "query_text": "tea", "query_vector": _words(tea=1), "retrievers": ("knn",)}
    by_title = await HybridSearch(engine).search(SearchRequest(**whole, vector_field="title_vector"))
    by_both = await HybridSearch(engine).search(SearchRequest(**whole))
    assert (by_title.hits[0].doc_id, by_both.hits[0].doc_id) == ("one", "two")
    assert {name for hit in by_title.hits for name in hit.source} == {"title", "text", "content_digest"}


LONG = [
    Document("menu", {"title": "Menu", "text": "flour sugar flour sugar hot hot spices tea milk", "kind": "food"}),
    Document("soup", {"title": "Soup", "text": "vegetables hot water vegetables flour", "kind": "food"}),
    Document("tea", {"title": "Tea", "text": "water water water sugar", "kind": "drink"}),
    Document("empty", {"title": "", "text": "", "kind": "drink"}),
]
CUT = Split(words=3, overlap=1)


def _words(**counts: float) -> tuple[float, ...]:
    return tuple(counts.get(word, 0.0) for word in WORDS)


@pytest.fixture
async def cut(engine, index, cache):
    """Long documents in passages of bytes, on two shards."""
    definition = IndexDefinition(8, passages=True, vectors="byte")
    body = index_templates.render(engine.name, index, await engine._fitting(definition))
    body["template"]["settings"]["index"]["number_of_shards"] = 2
    await engine._send("PUT", f"/_index_template/hybridrank-{index}", body)
    await engine._send("PUT", f"/{index}", {})

    async def write(documents=LONG, encoder=None):
        return await index_documents(
            engine,
            encoder or CountingEncoder(),
            index,
            documents,
            cache=cache,
            definition=IndexDefinition(vectors="byte"),
            passages=CUT,
        )

    report = await write()
    assert (report.indexed, report.rejected, report.total_in_index) == (4, (), 4)
    return write


@pytest.fixture(params=["client", "native"])
def search(request, engine):
    return HybridSearch(engine, fusion=request.param)


def lacks_of(response) -> list[str]:
    """All but that Elasticsearch has no fusion without a licence."""
    return [each.stage for each in response.degraded if each.reason != "not_native"]


async def test_a_long_document_is_found_by_its_best_passage(cut, search, index):
    request = SearchRequest(index=index, query_text="spices tea", query_vector=_words(tea=1, spices=1))
    response = await search.search(request)
    assert lacks_of(response) == []
    best = response.hits[0]
    assert (best.doc_id, best.passage.place) == ("menu", 3)
    assert best.passage.text == "Menu\nspices tea milk"
    assert set(best.source) == {"title", "text", "kind", "content_digest"}
    assert len({hit.doc_id for hit in response.hits}) == len(response.hits) == 3


async def test_filters_on_the_document_hold_for_its_passages(cut, search, index):
    request = SearchRequest(
        index=index, query_text="hot tea", query_vector=_words(tea=1, water=1), filters=(Term("kind", "drink"),)
    )
    response = await search.search(request)
    assert lacks_of(response) == []
    assert [hit.doc_id for hit in response.hits] == ["tea"]
    nothing = request.model_copy(update={"filters": (Term("passages.text", "tea"),)})
    with pytest.raises(SearchFailed, match="lies in the nested field 'passages'"):
        await search.search(nothing)


async def test_the_reranker_reads_the_best_passage(cut, engine, index):
    read: list[str] = []

    class Reader(CountingEncoder):
        async def rescore(self, query_text, passages, *, model, timeout_s, allow_partial=False, max_chunks=4):
            read.extend(each.text for each in passages)
            return await super().rescore(query_text, passages, model=model, timeout_s=timeout_s)

    request = SearchRequest(index=index, query_text="flour", rescore=Rescore(model="words"))
    response = await HybridSearch(engine, Reader()).search(request)
    assert response.degraded == ()
    assert len(read) == 3
    assert {"Menu\nflour sugar flour", "Soup\nwater vegetables flour"} < set(read)


async def test_bm25_alone_brings_the_passage_that_holds_the_words(cut, engine, index):
    request = SearchRequest(index=index, query_text="milk", retrievers=("bm25",))
    (hit,) = (await HybridSearch(engine).search(request)).hits
    assert (hit.doc_id, hit.passage.text) == ("menu", "Menu\nspices tea milk")


async def test_passages_are_written_again_only_when_something_changed(cut, engine, index, cache):
    again = CountingEncoder()
    report = await cut(encoder=again)
    assert (report.indexed, report.unchanged, again.encoded) == (0, 4, [])
    changed = [*LONG[1:], Document("menu", {"title": "Menu", "text": "vegetables", "kind": "food"})]
    report = await cut(changed)
    assert (report.indexed, report.unchanged) == (1, 3)
    request = SearchRequest(index=index, query_text="spices", query_vector=_words(spices=1), retrievers=("bm25",))
    assert (await HybridSearch(engine).search(request)).hits == ()
