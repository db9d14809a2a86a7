"""The retriever by sparse vectors: its shape for each server, the embedded engine, and whole searches."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank import index_templates
from hybridrank.connector import HybridSearch, SearchRequest, SidecarClient
from hybridrank.connector.engines.elasticsearch.dialect import ELASTICSEARCH
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.engines.embedded.postings import Postings
from hybridrank.connector.engines.opensearch.dialect import OPENSEARCH
from hybridrank.connector.errors import (
    BadScores,
    CircuitOpen,
    EngineError,
    InvalidRequest,
    SidecarError,
    SidecarMissing,
    SidecarTimeout,
)
from hybridrank.connector.indexing import index_documents
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.mapping.existing import check_index
from hybridrank.connector.mapping.fields import read
from hybridrank.connector.queries.checks import with_fields
from hybridrank.connector.queries.filters import Term
from hybridrank.connector.retrieval import queries_of
from hybridrank.connector.sidecar_client.sparse_answers import sparse_vectors
from hybridrank.connector.types import Document, Encoding
from hybridrank.index_templates import IndexDefinition
from hybridrank.sidecar.child import sidecar_process
from hybridrank.sidecar.protocol import rerank_pb2 as wire
from tests.contracts.sparse import DEFINITION, SPLADE, SparseContract, sparse
from tests.golden.sidecar import FOLDER as TINY_MODELS
from tests.golden.splade import TINY as TINY_SPLADE


class TestEmbeddedEngine(SparseContract):
    rounding = 0.0

    @pytest.fixture
    def engine(self, tmp_path):
        return EmbeddedEngine(tmp_path)

    @pytest.fixture
    def index(self):
        return "sparse"

    async def test_another_process_finds_what_was_written(self, with_sparse, index):
        later = EmbeddedEngine(with_sparse.path)
        assert await self.found(later, index, sparse()) == await self.found(with_sparse, index, sparse())


def test_opensearch_takes_the_tokens_as_they_are():
    matching = {"neural_sparse": {"sparse_vector": {"query_tokens": {".": 0.5, "##s": 1.5}}}}
    query = sparse({".": 0.5, "##s": 1.5}, window=7)
    assert query.body(OPENSEARCH)["query"] == matching
    assert query.body(OPENSEARCH)["size"] == 7
    filtered = sparse({".": 0.5, "##s": 1.5}, filters=[Term("kind", "drink")]).clause(OPENSEARCH)
    assert filtered == {"bool": {"must": [matching], "filter": [{"term": {"kind": "drink"}}]}}


def test_elasticsearch_gets_its_documented_query_unpruned():
    matching = {"sparse_vector": {"field": "sparse_vector", "query_vector": {".": 0.5, "##s": 1.5}, "prune": False}}
    query = sparse({".": 0.5, "##s": 1.5}, filters=[Term("kind", "drink")])
    assert query.clause(ELASTICSEARCH) == {"bool": {"must": [matching], "filter": [{"term": {"kind": "drink"}}]}}


@pytest.mark.parametrize("dialect", [OPENSEARCH, ELASTICSEARCH], ids=lambda each: each.name)
def test_a_query_without_tokens_matches_nothing(dialect):
    assert sparse({}).clause(dialect) == {"match_none": {}}


@pytest.mark.parametrize(("engine", "kind"), [("opensearch", "rank_features"), ("elasticsearch", "sparse_vector")])
def test_the_template_has_the_field_and_notes_its_model(engine, kind):
    template = index_templates.render(engine, "docs", DEFINITION)["template"]["mappings"]
    assert template["properties"]["sparse_vector"] == {"type": kind}
    assert template["_meta"]["hybridrank"]["encoders"]["sparse_vector"]["digest"] == SPLADE.digest
    fields = read({"docs": {"mappings": template}})
    assert fields.encoders["docs"]["sparse_vector"] == SPLADE
    assert "sparse_vector" not in fields.dense_encoders["docs"]
    without = index_templates.render(engine, "docs", IndexDefinition(dimensions=3))["template"]["mappings"]
    assert "sparse_vector" not in without["properties"]


@pytest.mark.parametrize("engine", ["opensearch", "elasticsearch"])
def test_no_vectors_of_an_index_are_lost(engine):
    mapping = index_templates.render(engine, "docs", replace(DEFINITION, vector_fields={"title_vector": 3}))
    mapping = mapping["template"]["mappings"]
    kept = replace(DEFINITION, vector_fields={"title_vector": 3})
    check_index(engine, "docs", mapping, kept)
    for lost, said in (
        (replace(kept, sparse=None), r"holds sparse vectors of splade .*; say `--sparse splade`"),
        (DEFINITION, "holds vectors in title_vector, which documents written without would lose"),
    ):
        with pytest.raises(EngineError, match=said):
            check_index(engine, "docs", mapping, lost)
    del mapping["_meta"]["hybridrank"]["encoders"]
    with pytest.raises(EngineError, match=r"of a model that it does not note, .*; say `--sparse MODEL`"):
        check_index(engine, "docs", mapping, replace(kept, sparse=None))


vectors_of_tokens = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.015625, 64, width=32), max_size=8)


@given(st.lists(vectors_of_tokens, max_size=12), vectors_of_tokens)
def test_postings_add_up_dot_products(documents, query):
    wanted = [sum(query[token] * each.get(token, 0.0) for token in query) for each in documents]
    np.testing.assert_allclose(Postings.of(documents).scores(query), wanted, rtol=1e-6)


def reply(*vectors, kind="splade"):
    """A reply with (tokens, weights) for each text; None has no sparse vector."""
    made = [
        wire.Embedding(sparse=wire.SparseVector(tokens=each[0], weights=each[1])) if each else wire.Embedding()
        for each in vectors
    ]
    return wire.EncodeResponse(embeddings=made, model=wire.Model(name="m", kind=kind, digest="d"))


@pytest.mark.parametrize(
    ("answer", "error", "problem"),
    [
        (reply((["a"], [1.0])), BadScores, "1 sparse vector for 2 texts"),
        (reply(None, None, kind="encoder"), InvalidRequest, "m is a encoder, which makes no sparse vectors"),
        (reply((["a"], [1.0]), (["a", "b"], [1.0])), BadScores, "without a weight each"),
        (reply((["a"], [1.0]), (["a", "a"], [1.0, 1.0])), BadScores, "or twice"),
        (reply((["a"], [1.0]), (["a"], [float("nan")])), BadScores, "not above 0 and at most 64"),
        (reply((["a"], [1.0]), (["a"], [0.0])), BadScores, "not above 0 and at most 64"),
        (reply((["a"], [1.0]), (["a"], [64.5])), BadScores, "not above 0 and at most 64"),
    ],
)
def test_a_sidecars_odd_answer_is_named(answer, error, problem):
    with pytest.raises(error, match=problem):
        sparse_vectors(answer, 2, None)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder of a tiny encoder and a tiny SPLADE model."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(TINY_MODELS / "tiny-encoder", folder / "encoder")
    shutil.copytree(TINY_SPLADE, folder / "splade")
    return folder


@pytest.fixture(scope="module")
def sidecar(models):
    with sidecar_process(models=models) as process:
        yield process.address


FOREIGN = {
    "text": {"type": "text"},
    "passage_tokens": {"type": "rank_features"},
    "topics": {"type": "rank_features"},
    "ml": {"properties": {"tokens": {"type": "sparse_vector"}}},
}
TEXTS = {"a": "the rank of a passage", "b": "what is a query", "c": "search engine", "d": ""}
REQUEST = {
    "index": "docs",
    "query_text": "rank of a query",
    "encoder": "tiny-encoder",
    "sparse_encoder": "tiny-splade",
    "encode_timeout_s": 20,
}


async def filled(path, client, **options):
    engine = EmbeddedEngine(path)
    documents = [Document(key, {"text": text, "kind": key}) for key, text in TEXTS.items()]
    cache = VectorCache(path / "cache.sqlite3")
    report = await index_documents(
        engine, client, "docs", documents, cache=cache, model="tiny-encoder", sparse="tiny-splade", **options
    )
    return engine, report


async def test_documents_and_queries_meet_in_one_search(sidecar, tmp_path):
    async with SidecarClient(sidecar) as client:
        engine, report = await filled(tmp_path, client)
        assert (report.indexed, (await filled(tmp_path, client))[1].unchanged) == (4, 4)
        request = SearchRequest(**REQUEST, retrievers=("bm25", "knn", "sparse"))
        response = await HybridSearch(engine, client).search(request)
        assert response.degraded == ()
        (query,) = await client.encode_sparse(["rank of a query"], model="tiny-splade", kind="query", timeout_s=20)
        texts = [text for text in TEXTS.values() if text]
        found = await client.encode_sparse(texts, model="tiny-splade", kind="document", timeout_s=20)
        wanted = {
            key: sum(weight * each.sparse.get(token, 0.0) for token, weight in query.sparse.items())
            for key, each in zip(TEXTS, found, strict=False)
        }
        scores = {hit.doc_id: hit.retrievers["sparse"].score for hit in response.hits if "sparse" in hit.retrievers}
        assert scores == pytest.approx({key: score for key, score in wanted.items() if score}, rel=1e-4)
        assert scores
        assert all({"bm25", "knn", "sparse"} >= set(hit.retrievers) for hit in response.hits)
        alone = SearchRequest(**REQUEST, retrievers=("sparse",), filters=(Term("kind", "a"),))
        assert [hit.doc_id for hit in (await HybridSearch(engine, client).search(alone)).hits] == ["a"]


async def test_without_its_model_a_search_goes_on(sidecar, tmp_path):
    async with SidecarClient(sidecar) as client:
        engine, _ = await filled(tmp_path, client)
        for model, problem in (("tiny-encoder", "makes no sparse vectors"), ("nowhere", "nowhere")):
            request = SearchRequest(**REQUEST | {"sparse_encoder": model}, retrievers=("bm25", "knn", "sparse"))
            response = await HybridSearch(engine, client).search(request)
            assert [(each.stage, problem in each.detail) for each in response.degraded] == [("encode", True)]
            assert response.degraded[0].detail.startswith("no sparse vector: ")
            assert {name for hit in response.hits for name in hit.retrievers} == {"bm25", "knn"}
        lexical = SearchRequest(**REQUEST | {"sparse_encoder": "nowhere"}, retrievers=("sparse",))
        response = await HybridSearch(engine, client).search(lexical)
        assert {name for hit in response.hits for name in hit.retrievers} == {"bm25"}
        with pytest.raises(SidecarError, match=r"no model of sparse vectors named 'tiny-encoder'.*tiny-splade"):
            await index_documents(
                engine,
                client,
                "more",
                [],
                cache=VectorCache(tmp_path / "c"),
                model="tiny-encoder",
                sparse="tiny-encoder",
            )


async def test_a_callers_own_vector_leaves_the_sparse_one(sidecar, tmp_path):
    async with SidecarClient(sidecar) as client:
        engine, _ = await filled(tmp_path, client)
        request = SearchRequest(**REQUEST, query_vector=(1.0,) * 32, retrievers=("knn", "sparse"))
        response = await HybridSearch(engine, client).search(request)
        assert {name for hit in response.hits for name in hit.retrievers} == {"knn", "sparse"}
    with pytest.raises(SidecarMissing):
        await HybridSearch(engine).search(request)


async def test_a_sparse_model_that_is_too_slow_is_left_alone_by_itself(sidecar):
    async with SidecarClient(sidecar) as client:
        for _ in range(5):
            with pytest.raises(SidecarTimeout):
                await client.encode_sparse(["tea"], model="tiny-splade", kind="query", timeout_s=1e-6)
            assert await client.encode(["tea"], model="tiny-encoder", kind="query", timeout_s=5)
        with pytest.raises(CircuitOpen, match="encode sparse"):
            await client.encode_sparse(["tea"], model="tiny-splade", kind="query", timeout_s=5)


def test_no_hit_includes_a_sparse_field_of_another_writer():
    request = SearchRequest(**REQUEST | {"sparse_field": "passage_tokens"}, retrievers=("bm25", "sparse"))
    fields = read({"docs": {"mappings": {"properties": FOREIGN}}})
    queries = queries_of(request, None, Encoding((), sparse={"tea": 1.0}))
    assert queries.keys() == {"bm25", "sparse"}
    for query in queries.values():
        left_out = set(with_fields(query, fields).source_excludes)
        assert left_out >= {"passage_tokens", "ml.tokens", "vector"}
        assert not left_out & {"text", "topics"}  # rank features that are not known to be a vector


def test_no_hit_includes_the_sparse_field_behind_an_alias():
    request = SearchRequest(**REQUEST | {"sparse_field": "weights"}, retrievers=("bm25",))
    fields = read({"docs": {"mappings": {"properties": FOREIGN | {"weights": {"type": "alias", "path": "topics"}}}}})
    assert "topics" in with_fields(queries_of(request, None)["bm25"], fields).source_excludes


def test_the_default_field_of_a_search_is_the_templates():
    request = SearchRequest(index="docs", query_text="tea", retrievers=("sparse",))
    assert (request.sparse_field, request.sparse_encoder) == ("sparse_vector", "splade")
    assert (request.needs_vector, request.needs_sparse) == (False, True)
