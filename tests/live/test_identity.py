"""One id in two indices behind an alias, a pattern, `*` or a data stream: on real servers, each hit is its own."""

import uuid
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from hybridrank.connector import FeatureRescore, HybridSearch, Rescore, SearchRequest, connect_engine
from hybridrank.connector.types import Document, DocumentKey
from hybridrank.evaluation.collections.document_names import AmbiguousId, DocumentNames
from hybridrank.evaluation.experiments.experiment import run_pipeline
from hybridrank.evaluation.experiments.pipelines import PipelineSettings, parse_pipeline
from hybridrank.index_templates import IndexDefinition
from hybridrank.ltr_features import FeatureQuery
from tests.contracts.passages import DEFINITION, PASSAGES, bm25, feature_set, keys
from tests.doubles import WordSidecar

QUERY = "hot tea with milk"


@asynccontextmanager
async def opened(url: str):
    engine = await connect_engine(url)
    try:
        yield engine
    finally:
        await engine.close()


@pytest.fixture
async def engine(engine_url):
    async with opened(engine_url) as engine:
        yield engine


@pytest.fixture
async def name(engine):
    """The beginning of the names that a test uses; what they stand for is removed."""
    name = f"ident-{uuid.uuid4().hex[:12]}"
    yield name
    for index in await engine.request("GET", f"/{name}*"):
        await engine.delete_index(index)


async def filled(engine, index: str, language: str, definition=DEFINITION) -> str:
    """PASSAGES once more, each marked with the language in its title, its token vectors and its price."""
    await engine.create_index(index, definition)
    documents = [
        Document(
            each.doc_id,
            each.source | {"title": f"{each.source['title']} {language}", "price": len(language)},
            each.vector if definition.dimensions == 3 else None,
            f"{language} {each.doc_id}".encode(),
        )
        for each in PASSAGES
    ]
    assert (await engine.index_documents(index, documents)).rejected == ()
    await engine.refresh(index)
    return index


@pytest.fixture
async def shop(engine, name):
    """An alias of two indices that hold the same ids."""
    for language in ("de", "english"):
        index = await filled(engine, f"{name}-{language}", language)
        await engine.request("POST", "/_aliases", {"actions": [{"add": {"index": index, "alias": f"{name}-all"}}]})
    return f"{name}-all"


def request(index: str, **changes) -> SearchRequest:
    return SearchRequest(**{"index": index, "query_text": QUERY, "query_vector": (1.0, 0.2, 0.0), "size": 10} | changes)


def language_of(hit) -> str:
    return hit.index.rpartition("-")[2]


def assert_own(hits, size=10) -> None:
    """Every document of both indices is there once, and what is shown of it is its own."""
    assert len({hit.key for hit in hits}) == len(hits) == size
    for hit in hits:
        assert hit.source["title"].endswith(f" {language_of(hit)}")


@pytest.mark.parametrize("collapse", [None, "title"])
@pytest.mark.parametrize("expression", ["alias", "pattern", "list"])
async def test_each_hit_of_several_indices_has_its_own_source(engine, name, shop, expression, collapse):
    """Read for the page alone, and with the ranking, since collapsing reads it."""
    indices = {"alias": shop, "pattern": f"{name}-*", "list": f"{name}-de,{name}-english"}
    response = await HybridSearch(engine).search(request(indices[expression], collapse=collapse))
    assert response.degraded == ()
    assert_own(response.hits)
    order = [(-hit.final_score, min(each.rank for each in hit.retrievers.values()), hit.key) for hit in response.hits]
    assert order == sorted(order)


async def test_pages_of_an_alias_hold_every_document_once(engine, shop):
    pages = [await HybridSearch(engine).search(request(shop, from_=start, size=3)) for start in range(0, 12, 3)]
    assert_own([hit for page in pages for hit in page.hits])


async def test_highlights_are_those_of_the_hit(engine, shop):
    response = await HybridSearch(engine).search(request(shop, query_text="tea english de", highlight=("title",)))
    for hit in response.hits:
        assert f"<em>{language_of(hit)}</em>" in hit.highlights["title"][0]


async def test_features_and_rerank_scores_are_those_of_the_hit(engine, shop):
    features = feature_set(
        price={"kind": "number", "field": "price"},
        title={"kind": "bm25", "fields": ["title"]},
        cosine={"kind": "vector_similarity", "field": "vector"},
    )
    stages = (
        Rescore(model="words", weight=1.0, timeout_s=30),
        FeatureRescore(feature_set=features, with_features=True, timeout_s=30),
    )
    search = HybridSearch(engine, WordSidecar())
    response = await search.search(request(shop, query_text="tea english", rescore=stages))
    assert response.degraded == ()
    assert_own(response.hits)
    for hit in response.hits:
        assert hit.features["price"] == len(language_of(hit))
        assert (hit.rerank_score >= 1) == (language_of(hit) == "english" or "tea" in str(hit.source).lower())
    cosines = {
        hit.key: hit.features["cosine"] for hit in response.hits if hit.features["cosine"] == hit.features["cosine"]
    }
    assert {key.doc_id for key in cosines} == {"tea", "chai", "soup", "cake"}
    assert len(cosines) == 8


async def test_stored_token_vectors_are_those_of_the_document(engine, name, shop):
    wanted = [*keys(f"{name}-de", "tea", "chai"), *keys(f"{name}-english", "tea")]
    stored = await engine.stored_token_vectors(shop, wanted)
    assert {key: packed.decode() for key, packed in stored.items()} == {
        key: f"{key.index.rpartition('-')[2]} {key.doc_id}" for key in wanted
    }


async def test_runs_and_judgments_over_an_alias_name_index_and_id(engine, name, shop):
    names = await DocumentNames.of(engine, shop)
    assert names.indices == (f"{name}-de", f"{name}-english")
    with pytest.raises(AmbiguousId, match=rf"'tea' names no document.*such as {name}-de/tea"):
        names.check_qrels({"q": {"tea": 1}})
    names.check_qrels({"q": {f"{name}-english/tea": 1}})
    settings = PipelineSettings(size=10)
    several = await run_pipeline(HybridSearch(engine), parse_pipeline("bm25"), shop, {"q": "english"}, settings)
    assert {each.partition("/")[0] for each in several.rankings["q"]} == {f"{name}-english"}
    one = await run_pipeline(HybridSearch(engine), parse_pipeline("bm25"), f"{name}-de", {"q": "de"}, settings)
    assert set(one.rankings["q"]) == {each.doc_id for each in PASSAGES}


async def test_every_index_of_the_cluster_may_be_searched(engine, name, shop):
    """`*`: indices of other shapes are there, also without vectors, with other ones, and system indices."""
    await filled(engine, f"{name}-wide", "wide", replace(DEFINITION, dimensions=4))
    await engine.request("PUT", f"/{name}-plain", {"mappings": {"properties": {"title": {"type": "text"}}}})
    await engine.request("PUT", f"/{name}-plain/_doc/tea?refresh=true", {"title": "tea plain"})
    response = await HybridSearch(engine).search(request("*", size=1000, rank_window_size=1000))
    ours = [hit for hit in response.hits if hit.index in (f"{name}-de", f"{name}-english")]
    assert_own(ours)
    plain = [hit for hit in response.hits if hit.index == f"{name}-plain"]
    assert [hit.source["title"] for hit in plain] == ["tea plain"]
    assert {each.reason for each in response.degraded} == {"partial"}
    assert [each.stage for each in response.degraded] == ["knn"]


async def test_an_index_that_kNN_cannot_search_is_named(engine, name, shop):
    await engine.request("PUT", f"/{name}-plain", {"mappings": {"properties": {"title": {"type": "text"}}}})
    await engine.request("PUT", f"/{name}-plain/_doc/tea?refresh=true", {"title": "hot tea"})
    response = await HybridSearch(engine).search(request(f"{name}-*", size=20))
    ((stage, reason, detail),) = [(each.stage, each.reason, each.detail) for each in response.degraded]
    assert (stage, reason) == ("knn", "partial")
    assert f"{name}-plain" in detail
    assert f"{name}-de" not in detail
    assert DocumentKey(f"{name}-plain", "tea") in {hit.key for hit in response.hits}


async def test_an_index_of_passages_beside_one_without_loses_no_words(engine, name):
    await filled(engine, f"{name}-de", "de")
    await engine.create_index(f"{name}-english", IndexDefinition(dimensions=3, passages=True))
    whole = Document(
        "tea", {"title": "Tea english", "text": "Hot."}, passages=(("Tea english\nHot.", (1.0, 0.0, 0.0)),)
    )
    assert (await engine.index_documents(f"{name}-english", [whole])).rejected == ()
    await engine.refresh(f"{name}-english")
    response = await HybridSearch(engine).search(request(f"{name}-*", retrievers=("bm25",), query_text="tea"))
    assert response.degraded == ()
    found = {hit.key: hit.passage for hit in response.hits}
    assert found[DocumentKey(f"{name}-english", "tea")].text == "Tea english\nHot."
    assert found[DocumentKey(f"{name}-de", "tea")] is None


async def test_a_data_stream_is_searched_through_all_its_indices(opensearch_url):
    """On OpenSearch alone: of an Elasticsearch without the module for data streams none can be deleted."""
    async with opened(opensearch_url) as engine:
        await search_a_data_stream(engine, f"ident-{uuid.uuid4().hex[:12]}-logs")


async def search_a_data_stream(engine, stream) -> None:
    mappings = {"properties": {"@timestamp": {"type": "date"}, "title": {"type": "text"}, "text": {"type": "text"}}}
    template = {
        "index_patterns": [f"{stream}*"],
        "data_stream": {},
        "priority": 500,
        "template": {"settings": {"number_of_shards": 1, "number_of_replicas": 0}, "mappings": mappings},
    }
    await engine.request("PUT", f"/_index_template/{stream}", template)
    try:
        for generation in ("first", "second"):
            document = {"@timestamp": "2026-01-01", "title": f"Tea {generation}", "text": "hot"}
            await engine.request("PUT", f"/{stream}/_create/1?refresh=true", document)
            await engine.request("POST", f"/{stream}/_rollover")
        assert len(await engine.indices(stream)) == 3
        found = await HybridSearch(engine).search(request(stream, retrievers=("bm25",), highlight=("title",)))
        assert found.degraded == ()
        assert [hit.source["title"] for hit in sorted(found.hits, key=lambda hit: hit.key)] == [
            "Tea first",
            "Tea second",
        ]
        assert all(hit.index.startswith(f".ds-{stream}") for hit in found.hits)
        assert all(
            hit.highlights["title"] == (hit.source["title"].replace("Tea", "<em>Tea</em>"),) for hit in found.hits
        )
        page = await HybridSearch(engine).search(request(stream, retrievers=("bm25",), size=1, rank_window_size=50))
        assert page.hits[0].source["title"] == "Tea first"
    finally:
        await engine.request("DELETE", f"/_data_stream/{stream}")
        await engine.request("DELETE", f"/_index_template/{stream}")


async def test_documents_with_a_routing_of_their_own_are_found_by_id(engine, name):
    await engine.create_index(name, DEFINITION)
    for number in range(8):
        path = f"/{name}/_doc/{number}?routing=customer-{number % 3}&refresh=true"
        await engine.request("PUT", path, {"title": f"Tea {number}", "text": "hot", "hybridrank_id": str(number)})
    response = await HybridSearch(engine).search(request(name, retrievers=("bm25",), highlight=("title",), size=8))
    assert response.degraded == ()
    assert {hit.doc_id: hit.source["title"] for hit in response.hits} == {str(n): f"Tea {n}" for n in range(8)}
    page = await HybridSearch(engine).search(request(name, retrievers=("bm25",), highlight=("title",), size=2))
    assert page.degraded == ()
    assert all(hit.source["title"] == f"Tea {hit.doc_id}" and hit.highlights for hit in page.hits)


async def test_hits_of_an_index_the_alias_has_left_are_still_shown(engine, name):
    """The old index is there for a while: its documents are read from it, and called gone when it is gone."""
    old, new = [await filled(engine, f"{name}-{language}", language) for language in ("old", "new")]
    alias = f"{name}-alias"
    await engine.request("POST", "/_aliases", {"actions": [{"add": {"index": old, "alias": alias}}]})
    (ranked,) = (await engine.retrieve(alias, {"bm25": bm25("spices")})).values()
    assert [each.key for each in ranked.ranking] == keys(old, "chai")
    moves = [{"remove": {"index": old, "alias": alias}}, {"add": {"index": new, "alias": alias}}]
    await engine.request("POST", "/_aliases", {"actions": moves})
    found = await engine.sources(alias, keys(old, "chai"), ())
    assert found[DocumentKey(old, "chai")]["title"] == "Chai old"
    features = feature_set(price={"kind": "number", "field": "price"})
    (hit,) = (await engine.extract(alias, features, FeatureQuery("tea"), keys(old, "chai")))["hits"]["hits"]
    assert hit["_index"] == old
    await engine.delete_index(old)
    assert await engine.sources(alias, keys(old, "chai"), ()) == {}
    assert await engine.indices(alias) == (new,)
