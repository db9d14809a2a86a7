"""Further parts of a page on real servers, the same with fusion in the engine where it has one."""

from dataclasses import replace

import pytest

from hybridrank.connector import HybridSearch, Misconfigured, Not, Range, Rescore, SearchRequest, Term, connect_engine
from tests.contracts.passages import PASSAGES
from tests.doubles import WordSidecar
from tests.live.indices import index_of

KINDS = {"kinds": {"terms": {"field": "kind"}}, "dearest": {"max": {"field": "price"}}}
WORDS = Rescore(model="words", timeout_s=30)


@pytest.fixture
async def engine(engine_url):
    engine = await connect_engine(engine_url)
    yield engine
    await engine.close()


@pytest.fixture(scope="module")
def index(engine_url):
    """Two shards, and nested fields: one that queries do not reach, one with a copy that they do."""
    nested = {"type": "nested", "properties": {"by": {"type": "keyword"}}}
    reviewed = [
        replace(each, source=each.source | {"reviews": [{"by": "ann" if "tea" in each.doc_id else "bob"}]})
        for each in PASSAGES
    ]
    with index_of(engine_url, reviewed, notes=nested, reviews=nested | {"include_in_root": True}) as name:
        yield name


@pytest.fixture(params=["client", "native"])
def search(request, engine):
    return HybridSearch(engine, WordSidecar(), fusion=request.param)


def request(index: str, **changes) -> SearchRequest:
    whole = {"index": index, "query_text": "hot tea with milk", "query_vector": (1.0, 0.2, 0.0)}
    return SearchRequest(**whole | changes)


def lacks(response) -> list[tuple[str, str]]:
    """All but that Elasticsearch has no fusion without a licence."""
    return [(each.stage, each.reason) for each in response.degraded if each.reason != "not_native"]


async def test_aggregations_count_what_bm25_matches_whatever_the_page(search, index):
    """Three documents hold a word of the query and one more is near; kNN matches nothing, so that it counts nothing."""
    for page in ({}, {"size": 1}, {"from_": 40}, {"rank_window_size": 1, "size": 1}, {"retrievers": ("knn",)}):
        response = await search.search(request(index, query_text="tea", aggregations=KINDS, **page))
        assert lacks(response) == []
        found = {each["key"]: each["doc_count"] for each in response.aggregations["kinds"]["buckets"]}
        assert found == {"drink": 2, "note": 1}
        assert response.aggregations["dearest"]["value"] == 5


async def test_aggregations_heed_the_filters(search, index):
    response = await search.search(
        request(index, query_text="tea", aggregations=KINDS, filters=(Not(Term("kind", "note")), Range("price", lt=5)))
    )
    assert response.aggregations["kinds"]["buckets"][0]["doc_count"] == 1
    assert response.aggregations["dearest"]["value"] == 3
    assert [hit.doc_id for hit in response.hits] in (["tea"], ["tea", "cake"])


async def test_aggregations_that_the_engine_refuses_cost_nothing_else(search, index):
    response = await search.search(request(index, aggregations={"wrong": {"trems": {"field": "kind"}}}))
    ((stage, _),) = lacks(response)
    assert stage == "aggregations"
    assert response.hits


async def test_a_misspelt_field_of_an_aggregation_is_named(search, index):
    """The engine itself answers with empty buckets."""
    sums = {"drinks": {"filter": {"term": {"kind": "drink"}}, "aggs": {"dearest": {"max": {"field": "prize"}}}}}
    found = await search.search(request(index, aggregations=sums))
    assert lacks(found) == [("aggregations", "bad_field")]
    (fault,) = (each for each in found.degraded if each.stage == "aggregations")
    assert "'prize'" in fault.detail
    assert fault.configuration
    with pytest.raises(Misconfigured, match="'prize'"):
        await search.search(request(index, aggregations=sums, strict=True))


async def test_highlights_and_collapse(search, index):
    response = await search.search(request(index, highlight=("title", "text"), collapse="kind"))
    assert lacks(response) == []
    assert sorted(hit.source["kind"] for hit in response.hits) == ["drink", "food", "note"]
    marked = {hit.doc_id: hit.highlights for hit in response.hits}
    assert "<em>" in str(marked[response.hits[0].doc_id])


async def test_sorting_puts_the_reranked_window_in_order(search, index):
    reranked = await search.search(request(index, rescore=WORDS))
    dearest = await search.search(request(index, rescore=WORDS, sort={"price": "desc"}))
    assert lacks(dearest) == []
    assert [hit.source.get("price") for hit in dearest.hits] == [7, 5, 4, 3, None]
    assert {hit.doc_id: hit.score for hit in dearest.hits} == {hit.doc_id: hit.score for hit in reranked.hits}
    assert [hit.doc_id for hit in dearest.hits] != [hit.doc_id for hit in reranked.hits]


async def test_the_engines_own_profile_beside_our_timings(search, index):
    """Of each retriever, or of the one search where the engine fused: of the two shards, what each query took."""
    response = await search.search(request(index, rescore=WORDS, profile=True))
    assert lacks(response) == []
    fused_there = search.fusion == "native" and search.engine.name == "opensearch"
    assert set(response.profile) == ({"fusion"} if fused_there else {"bm25", "knn"})
    for profile in response.profile.values():
        assert len(profile["shards"]) == 2
        assert all(shard["searches"][0]["query"][0]["time_in_nanos"] > 0 for shard in profile["shards"])
    assert response.timings.retrieve_ms > 0
    assert (await search.search(request(index))).profile == {}


async def test_everything_at_once_through_a_filtered_alias(search, index):
    """Each of the usual requests, in one: filter, nested fields, counts, fragments, one of a kind, order, profile."""
    alias = f"{index}-drinks"
    drinks = {"add": {"index": index, "alias": alias, "filter": {"terms": {"kind": ["drink", "food"]}}}}
    await search.engine._send("POST", "/_aliases", {"actions": [drinks]})
    response = await search.search(
        request(
            alias,
            query_text="hot tea with milk",
            filters=(Range("price", gte=3), Not(Term("reviews.by", "nobody"))),
            rescore=WORDS,
            aggregations=KINDS,
            highlight=("text",),
            collapse="kind",
            sort={"price": "asc"},
            profile=True,
        )
    )
    assert lacks(response) == []
    assert [hit.source["kind"] for hit in response.hits] in (["drink", "food"], ["food", "drink"])
    prices = [hit.source["price"] for hit in response.hits]
    assert prices == sorted(prices)
    assert all(hit.rerank_score is not None for hit in response.hits)
    assert {each["key"] for each in response.aggregations["kinds"]["buckets"]} == {"drink", "food"}
    assert any("<em>" in str(hit.highlights) for hit in response.hits)
    assert response.profile


async def test_a_filter_in_a_nested_field_is_named_or_heeded(search, index):
    """Engines answer it with no hits and no word of why."""
    with pytest.raises(Exception, match=r"'notes\.by'.* lies in the nested field 'notes'"):
        await search.search(request(index, filters=(Term("notes.by", "ann"),)))
    heeded = await search.search(request(index, filters=(Term("reviews.by", "ann"),)))
    assert lacks(heeded) == []
    assert [hit.doc_id for hit in heeded.hits] == ["tea"]
