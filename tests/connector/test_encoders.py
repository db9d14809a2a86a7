"""Vectors of one encoder are never compared with another's: by kNN, by features, or beside each other in an index."""

import logging
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from hybridrank.connector import FeatureRescore, HybridSearch, SearchFailed, SearchRequest, SidecarError
from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from hybridrank.connector.errors import EngineError, Misconfigured
from hybridrank.connector.indexing import index_documents
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.mapping import encoders, fields
from hybridrank.connector.queries import checks
from hybridrank.connector.queries.retrievers import KnnQuery
from hybridrank.connector.sidecar_client.client import ModelInfo
from hybridrank.connector.types import Document
from hybridrank.index_templates import EncoderNote, IndexDefinition, noted_encoders, render, with_notes
from hybridrank.ltr_features import FeatureQuery, FeatureSet
from tests.doubles import WORDS, WordSidecar

MINILM = EncoderNote("minilm", "aaaaaaaaaaaaaaaa", "2", "mean")
BGE = EncoderNote("bge", "bbbbbbbbbbbbbbbb", "1", "cls", "query: ")
FP32 = EncoderNote("minilm", "cccccccccccccccc", "2", "mean", comparable_digests=("aaaaaaaaaaaaaaaa",))
TEXTS = {"tea": "hot tea", "chai": "tea with milk", "cake": "flour and sugar"}
REQUEST = SearchRequest(index="menu", query_text="hot tea")


class NamedSidecar(WordSidecar):
    """Answers as one encoder; from the `until`-th call on as another, as a sidecar does whose model was replaced."""

    def __init__(self, note: EncoderNote, then: EncoderNote | None = None, until: int = 1) -> None:
        self.first, self.then, self.left = note, then or note, until

    @property
    def note(self) -> EncoderNote:
        return self.first if self.left > 0 else self.then

    async def models(self):
        note = self.first
        return (
            ModelInfo(
                name=note.name,
                version=note.version,
                kind="encoder",
                digest=note.digest,
                precision="int8",
                max_tokens=256,
                dimensions=len(WORDS),
                aliases=("encoder",),
                pooling=note.pooling,
                query_prefix=note.query_prefix,
                document_prefix=note.document_prefix,
                comparable_digests=note.comparable_digests,
            ),
        )

    async def encode(self, texts, *, model, kind, timeout_s):
        found = await super().encode(texts, model=model, kind=kind, timeout_s=timeout_s)
        self.left -= 1
        return found


@pytest.fixture
def engine(tmp_path):
    return EmbeddedEngine(tmp_path / "indices")


@pytest.fixture
def cache(tmp_path):
    return VectorCache(tmp_path / "vectors.sqlite3")


async def indexed(engine, cache, note: EncoderNote, texts=TEXTS, **more):
    documents = [Document(doc_id, {"title": "", "text": text}) for doc_id, text in texts.items()]
    return await index_documents(engine, NamedSidecar(note, **more), "menu", documents, cache=cache)


async def test_indexing_notes_the_encoder(engine, cache):
    await indexed(engine, cache, MINILM)
    assert (await engine.fields("menu")).encoders == {"menu": {"vector": MINILM}}


async def test_a_search_by_another_encoder_leaves_out_knn(engine, cache):
    await indexed(engine, cache, MINILM)
    response = await HybridSearch(engine, NamedSidecar(BGE)).search(REQUEST)
    (lack,) = response.degraded
    assert (lack.stage, lack.reason) == ("knn", "wrong_encoder")
    for said in ("'vector'", "'menu'", "minilm (digest aaaaaaaaaaaa)", "bge (digest bbbbbbbbbbbb)", "swap"):
        assert said in lack.detail
    assert {name for hit in response.hits for name in hit.retrievers} == {"bm25"}


async def test_a_strict_search_by_another_encoder_is_an_error(engine, cache):
    await indexed(engine, cache, MINILM)
    with pytest.raises(Misconfigured, match="vectors of two encoders cannot be compared"):
        await HybridSearch(engine, NamedSidecar(BGE)).search(REQUEST.model_copy(update={"strict": True}))


async def test_a_search_by_another_encoder_alone_is_an_error(engine, cache):
    await indexed(engine, cache, MINILM)
    with pytest.raises(SearchFailed, match="vectors of two encoders cannot be compared"):
        await HybridSearch(engine, NamedSidecar(BGE)).search(REQUEST.model_copy(update={"retrievers": ("knn",)}))


@pytest.mark.parametrize("same", [MINILM, replace(MINILM, name="renamed"), FP32], ids=["itself", "renamed", "fp32"])
async def test_the_same_weights_are_the_same_encoder(engine, cache, same):
    await indexed(engine, cache, MINILM)
    response = await HybridSearch(engine, NamedSidecar(same)).search(REQUEST)
    assert response.degraded == ()
    assert "knn" in response.hits[0].retrievers


async def test_a_model_replaced_under_a_running_search_is_noticed(engine, cache):
    await indexed(engine, cache, MINILM)
    search = HybridSearch(engine, NamedSidecar(MINILM, then=replace(MINILM, digest="new")))
    assert (await search.search(REQUEST)).degraded == ()
    (lack,) = (await search.search(REQUEST)).degraded
    assert lack.reason == "wrong_encoder"
    assert "their weights, tokenizers or lengths differ" in lack.detail


async def test_a_vector_of_the_caller_is_not_checked(engine, cache):
    await indexed(engine, cache, MINILM)
    request = REQUEST.model_copy(update={"query_vector": (1.0,) * len(WORDS)})
    assert (await HybridSearch(engine).search(request)).degraded == ()


async def test_a_feature_by_another_encoder_is_not_computed(engine, cache):
    await indexed(engine, cache, MINILM)
    columns = [{"name": "cosine", "kind": "vector_similarity", "field": "vector"}]
    stage = FeatureRescore(feature_set=FeatureSet.model_validate({"name": "menu", "features": columns}))
    request = REQUEST.model_copy(update={"rescore": stage, "retrievers": ("bm25",)})
    (lack,) = (await HybridSearch(engine, NamedSidecar(BGE)).search(request)).degraded
    assert (lack.stage, lack.reason) == ("rescore", "wrong_encoder")
    assert "feature 'cosine'" in lack.detail
    assert (await HybridSearch(engine, NamedSidecar(MINILM)).search(request)).degraded == ()


async def test_documents_of_another_encoder_are_refused_before_any(engine, cache):
    await indexed(engine, cache, MINILM)
    with pytest.raises(EngineError, match=r"of minilm \(digest a+\), not of bge \(digest b+\)") as caught:
        await indexed(engine, cache, BGE, {"soup": "vegetables"})
    assert caught.value.reason == "wrong_encoder"
    assert await engine.refresh("menu") == len(TEXTS)
    with pytest.raises(EngineError, match="not of bge"):
        await engine.plan_index("menu", IndexDefinition(len(WORDS), encoder=BGE))


async def test_replacing_the_model_ends_an_indexing_run(engine, cache):
    texts = {f"d{number}": f"tea {number}" for number in range(130)}
    with pytest.raises(SidecarError, match="was the model replaced"):
        await indexed(engine, cache, MINILM, texts, then=BGE)
    assert await engine.refresh("menu") == 64  # the batch that the first model encoded
    assert cache.get(MINILM.digest, [*texts.values()][64:]) == {}


async def test_vectors_of_two_precisions_are_cached_apart(engine, cache):
    texts = {f"d{number}": f"tea {number}" for number in range(70)}
    await indexed(engine, cache, MINILM, texts, then=FP32)
    assert len(cache.get(MINILM.digest, [*texts.values()])) == 64
    assert len(cache.get(FP32.digest, [*texts.values()])) == 6


async def test_an_index_without_the_note_is_searched_with_one_warning(engine, cache, caplog):
    await engine.create_index("menu", IndexDefinition(len(WORDS)))
    await engine.index_documents("menu", [Document("tea", {"text": "tea"}, (1.0,) * len(WORDS))])
    await engine.refresh("menu")
    search = HybridSearch(engine, NamedSidecar(MINILM))
    with caplog.at_level(logging.WARNING):
        assert [(await search.search(REQUEST)).degraded for _ in range(3)] == [(), (), ()]
    (record,) = caplog.records
    assert "index menu does not note which encoder made the vectors of field vector" in record.getMessage()
    assert "minilm" in record.getMessage()
    await engine.note_encoder("menu", ["vector"], BGE)
    assert (await search.search(REQUEST)).degraded[0].reason == "wrong_encoder"


async def test_a_run_over_all_documents_of_an_old_index_notes_it(engine, cache, caplog):
    await engine.create_index("menu", IndexDefinition(len(WORDS)))
    await indexed(engine, cache, MINILM)
    assert (await engine.fields("menu")).encoders == {"menu": {"vector": MINILM}}
    assert not caplog.records


async def test_an_old_index_with_other_documents_stays_without_a_note(engine, cache, caplog):
    await engine.create_index("menu", IndexDefinition(len(WORDS)))
    await engine.index_documents("menu", [Document("soup", {"text": "soup"}, (1.0,) * len(WORDS))])
    await indexed(engine, cache, MINILM)
    assert (await engine.fields("menu")).encoders == {"menu": {"vector": None}}
    assert "does not note" in caplog.text


@pytest.mark.parametrize("kind", ["opensearch", "elasticsearch"])
def test_every_field_of_vectors_has_its_note(kind):
    definition = IndexDefinition(384, passages=True, vector_fields={"title_vector": 384}, encoder=MINILM)
    mappings = render(kind, "docs", definition)["template"]["mappings"]
    assert noted_encoders(mappings) == {"passages.vector": MINILM, "title_vector": MINILM}
    there = fields.read({"docs": {"mappings": mappings}})
    for name in ("vector", "title_vector"):
        query = KnnQuery((0.0,) * 384, name, rank_window_size=10, num_candidates=20, encoder=BGE)
        assert "holds vectors of minilm" in checks.encoder_problem("docs", there, query)


def test_an_alias_of_a_vector_field_is_compared_as_the_field():
    vector = {"type": "dense_vector", "dims": 2, "similarity": "cosine"}
    mapping = {
        "_meta": {"hybridrank": {"encoders": {"vec": MINILM.as_json()}}},
        "properties": {"vec": vector, "meaning": {"type": "alias", "path": "vec"}},
    }
    there = fields.read({"menu": {"mappings": mapping}})
    query = KnnQuery((1.0, 0.0), "meaning", rank_window_size=10, num_candidates=20, encoder=BGE)
    near = FeatureSet.model_validate(
        {"name": "near", "features": [{"kind": "vector_similarity", "name": "near", "field": "meaning"}]}
    )
    about = FeatureQuery("tea", (1.0, 0.0), encoder=BGE)
    assert "holds vectors of minilm" in checks.encoder_problem("menu", there, query)
    assert "holds vectors of minilm" in encoders.feature_encoder_problem("menu", there, near, about)
    assert "2 dimensions" in checks.problem("menu", there, replace(query, vector=(1.0,) * 3))
    assert "2 dimensions" in fields.feature_problem("menu", there, near, replace(about, vector=(1.0,) * 3))
    assert checks.with_fields(query, there).field == "vec"


def test_a_note_leaves_what_others_noted():
    mappings = {"_meta": {"team": "search", "hybridrank": {"language": "german", "encoders": {"a": BGE.as_json()}}}}
    assert with_notes(mappings, {"encoders": {"b": MINILM.as_json()}}) == {
        "team": "search",
        "hybridrank": {"language": "german", "encoders": {"a": BGE.as_json(), "b": MINILM.as_json()}},
    }


@pytest.mark.parametrize("odd", [None, 3, "x", [], {"vector": 3}, {"vector": {"digest": 3}}, {"vector": {"name": "x"}}])
def test_a_note_that_is_none_of_ours_is_no_note(odd):
    assert noted_encoders({"_meta": {"hybridrank": {"encoders": odd}}}) == {}


class Cluster:
    """Answers mappings and searches of an alias as a server does; `indices` has the encoder of each index behind it."""

    def __init__(self) -> None:
        self.headers = {"X-Elastic-Product": "Elasticsearch"}
        self.indices: dict[str, EncoderNote | None] = {}
        self.searches = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/menu/_mapping", self.mapping)
        app.router.add_post("/_msearch", self.msearch)
        return app

    async def mapping(self, _request):
        vector = {"type": "knn_vector", "dimension": len(WORDS)}
        properties = {"vector": vector, "title": {"type": "text"}, "text": {"type": "text"}}
        meta = {name: {"encoders": {"vector": note.as_json()}} if note else {} for name, note in self.indices.items()}
        return web.json_response(
            {name: {"mappings": {"properties": properties, "_meta": {"hybridrank": meta[name]}}} for name in meta},
            headers=self.headers,
        )

    async def msearch(self, request):
        self.searches += 1
        asked = len((await request.text()).strip().splitlines()) // 2
        hit: dict[str, Any] = {"_index": min(self.indices), "_id": "tea", "_score": 1.0, "_source": {"text": "tea"}}
        answer = {"hits": {"hits": [hit]}, "_shards": {"total": 1, "successful": 1, "failed": 0}, "status": 200}
        return web.json_response({"responses": [answer] * asked}, headers=self.headers)


@pytest.fixture(params=[OpenSearchEngine, ElasticsearchEngine])
async def cluster(request):
    """A cluster, and an engine that talks to it."""
    double = Cluster()
    runner = web.AppRunner(double.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    engine = request.param(f"http://127.0.0.1:{runner.addresses[0][1]}")
    yield double, engine
    await engine.close()
    await runner.cleanup()


async def test_an_alias_over_indices_of_two_encoders_is_said(cluster):
    double, engine = cluster
    double.indices = {"menu-1": MINILM, "menu-2": BGE}
    response = await HybridSearch(engine, NamedSidecar(MINILM)).search(REQUEST.model_copy(update={"size": 200}))
    (lack,) = response.degraded
    assert (lack.stage, lack.reason) == ("knn", "wrong_encoder")
    assert "index 'menu-2', behind 'menu', holds vectors of bge" in lack.detail
    assert "search menu-1 alone" in lack.detail


async def test_an_alias_moved_to_another_encoders_index_is_noticed(cluster):
    double, engine = cluster
    double.indices = {"menu-1": MINILM}
    search, request = HybridSearch(engine, NamedSidecar(MINILM)), REQUEST.model_copy(update={"size": 200})
    assert (await search.search(request)).degraded == ()
    assert double.searches == 1
    double.indices = {"menu-2": BGE}
    (lack,) = (await search.search(request)).degraded
    assert (lack.stage, lack.reason) == ("knn", "wrong_encoder")


async def test_an_index_made_again_for_the_new_encoder_is_searched(cluster):
    double, engine = cluster
    double.indices = {"menu-1": MINILM}
    search, request = HybridSearch(engine, NamedSidecar(MINILM, then=BGE)), REQUEST.model_copy(update={"size": 200})
    assert (await search.search(request)).degraded == ()
    double.indices = {"menu-1": BGE}
    assert (await search.search(request)).degraded == ()
