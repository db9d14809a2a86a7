"""Fusion inside real servers: the same ranking as ours up to ties, and a plain word where a server has none."""

from math import fsum

import pytest

from hybridrank.connector import HybridSearch, Not, Rescore, Rrf, SearchRequest, Term, WeightedSum
from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine, retrievers
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from tests.doubles import WordSidecar
from tests.live.indices import QUERIES, documents, index_of
from tests.live.recording_proxy import recording_proxy

COUNT = 120


# Texts of all lengths, so that few documents score alike.
DOCUMENTS = documents(COUNT, seed=7, shortest=5, longest=COUNT + 5)
# Hybrid queries used to fail on an index that has one, whatever they asked for.
NESTED = {"notes": {"type": "nested", "properties": {"by": {"type": "keyword"}}}}


@pytest.fixture
async def engine(opensearch_url):
    """Behind a proxy that keeps what is sent, `engine.proxy`."""
    async with recording_proxy(opensearch_url) as proxy:
        engine = OpenSearchEngine(proxy.url)
        engine.proxy = proxy
        yield engine
        await engine.close()


@pytest.fixture(scope="module")
def index(opensearch_url):
    with index_of(opensearch_url, DOCUMENTS, **NESTED) as name:
        yield name


@pytest.fixture(scope="module")
def one_shard(opensearch_url):
    with index_of(opensearch_url, DOCUMENTS, shards=1, **NESTED) as name:
        yield name


@pytest.fixture(scope="module")
def elasticsearch_index(elasticsearch_url):
    with index_of(elasticsearch_url, DOCUMENTS, **NESTED) as name:
        yield name


def request(index: str, number: int, **changes) -> SearchRequest:
    """By default with a window that holds all documents."""
    vector = (1.0, number - 2.0, 0.5)
    whole = {"index": index, "query_text": QUERIES[number], "query_vector": vector, "size": COUNT}
    return SearchRequest(**whole | {"rank_window_size": COUNT} | changes)


def scores(hits) -> dict[str, float]:
    return {hit.doc_id: hit.fused_score for hit in hits}


def same_up_to_ties(theirs, ours, fusion: Rrf) -> None:
    """Of documents that a retriever scores alike, each may have the rank of any: a fused score lies between bounds."""
    ranks: dict[tuple[str, float], list[int]] = {}
    for hit in ours:
        for name, found in hit.retrievers.items():
            ranks.setdefault((name, found.score), []).append(found.rank)

    def bound(hit, choose) -> float:
        alike = ((name, choose(ranks[name, found.score])) for name, found in hit.retrievers.items())
        return fsum(fusion.weights.get(name, 1.0) / (fusion.rank_constant + rank) for name, rank in alike)

    bounds = {hit.doc_id: (bound(hit, max), bound(hit, min)) for hit in ours}
    assert {hit.doc_id for hit in theirs} == bounds.keys()
    for hit in theirs:
        lowest, highest = bounds[hit.doc_id]
        assert lowest * (1 - 1e-5) <= hit.fused_score <= highest * (1 + 1e-5)
    assert sum(lowest == highest for lowest, highest in bounds.values()) > 0.8 * len(bounds)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"fusion": Rrf(rank_constant=3)},
        {"fusion": Rrf(weights={"bm25": 3, "knn": 1})},
        {"fusion": Rrf(weights={"bm25": 0.2, "knn": 0.5})},
        {"fusion": Rrf(weights={"knn": 2, "bm25": 0})},
        {"filters": (Not(Term("price", 7)),)},
    ],
    ids=str,
)
async def test_opensearch_fuses_as_we_do(engine, index, changes):
    """One `_search` in place of the `_msearch`: the same documents and scores, so the same order up to ties."""
    for number in range(len(QUERIES)):
        ours = await HybridSearch(engine).search(request(index, number, **changes))
        engine.proxy.requests.clear()
        theirs = await HybridSearch(engine, fusion="native").search(request(index, number, **changes))
        assert theirs.degraded == ours.degraded == ()
        sent = [each[:2] for each in engine.proxy.requests if "_nodes" not in each[1]]
        assert sent == [("POST", f"/{index}/_search")] * 2  # the ranking, then the documents of the page
        assert len(ours.hits) > 60
        same_up_to_ties(theirs.hits, ours.hits, changes.get("fusion", Rrf()))
        assert all(hit.retrievers == {} and "vector" not in hit.source for hit in theirs.hits)
        assert {hit.doc_id: hit.source for hit in theirs.hits} == {hit.doc_id: hit.source for hit in ours.hits}


async def test_a_window_within_one_shard_is_the_same_window(engine, one_shard):
    """The first 20 of each retriever, fused; of the ranking that this gives, the engine returns the first 20."""
    for number in range(len(QUERIES)):
        ours = await HybridSearch(engine).search(request(one_shard, number, rank_window_size=20))
        theirs = await HybridSearch(engine, fusion="native").search(request(one_shard, number, rank_window_size=20))
        assert theirs.degraded == ()
        assert theirs.total_candidates == 20
        assert [hit.fused_score for hit in theirs.hits] == pytest.approx([hit.fused_score for hit in ours.hits[:20]])


async def test_on_several_shards_a_retriever_may_reach_deeper(engine, index):
    """Each shard gives as many as the window holds, so that a document may gain a share that we would not count."""
    for number in range(len(QUERIES)):
        ours = scores((await HybridSearch(engine).search(request(index, number, rank_window_size=20))).hits)
        theirs = await HybridSearch(engine, fusion="native").search(request(index, number, rank_window_size=20))
        assert all(hit.fused_score >= ours.get(hit.doc_id, 0) - 1e-6 for hit in theirs.hits)


async def test_pages_are_cut_from_one_ranking_and_stages_rescore_it(engine, index):
    search = HybridSearch(engine, WordSidecar(), fusion="native")
    asked = request(index, 0, rescore=Rescore(model="words", rescore_window_size=30), size=10)
    whole = await search.search(asked.model_copy(update={"size": COUNT}))
    pages = [await search.search(asked.model_copy(update={"from_": start})) for start in (0, 10, 20, 200)]
    assert [hit for page in pages for hit in page.hits] == [*whole.hits[:30]]
    assert all(hit.rerank_score is not None for hit in whole.hits[:30])
    assert whole.degraded == ()


async def test_a_filtered_alias_filters_native_fusion_too(engine, index):
    alias = f"{index}-cheap"
    cheap = {"add": {"index": index, "alias": alias, "filter": {"range": {"price": {"lt": 20}}}}}
    await engine._send("POST", "/_aliases", {"actions": [cheap]})
    ours = await HybridSearch(engine).search(request(alias, 1))
    theirs = await HybridSearch(engine, fusion="native").search(request(alias, 1))
    assert theirs.degraded == ()
    assert 5 < len(ours.hits) < 60
    assert all(hit.source["price"] < 20 for hit in theirs.hits)
    same_up_to_ties(theirs.hits, ours.hits, Rrf())


async def test_the_server_is_asked_once_what_it_can(engine, index):
    search = HybridSearch(engine, fusion="native")
    for number in range(3):
        await search.search(request(index, number))
    assert sum("search_pipelines" in path for _, path, _ in engine.proxy.requests) == 1


async def test_the_client_does_a_fusion_the_server_defines_differently(engine, index):
    asked = request(index, 0, fusion=WeightedSum())
    response = await HybridSearch(engine, fusion="native").search(asked)
    assert [(each.stage, each.reason) for each in response.degraded] == [("fusion", "not_native")]
    assert response.hits == (await HybridSearch(engine).search(asked)).hits


async def test_a_misspelt_field_costs_one_retriever_not_the_search(engine, index):
    response = await HybridSearch(engine, fusion="native").search(request(index, 0, fields={"titel": 1.0}))
    assert [(each.stage, each.reason) for each in response.degraded] == [("fusion", "bad_field"), ("bm25", "bad_field")]
    assert response.hits


async def test_hits_that_nothing_fused_are_told_from_a_ranking(engine, index):
    """A hybrid query without its processor answers with markers between the hits of its queries."""
    whole = engine._fused_body

    def without_processor(*asked):
        return whole(*asked) | {"search_pipeline": {"response_processors": []}}

    engine._fused_body = without_processor
    response = await HybridSearch(engine, fusion="native").search(request(index, 0))
    assert [(each.stage, each.reason) for each in response.degraded] == [("fusion", "not_fused")]
    assert response.hits == (await HybridSearch(engine).search(request(index, 0))).hits


async def test_retrievers_that_need_no_licence_run(elasticsearch_url, elasticsearch_index):
    """The head of a ranking by words, with a phrase added to its scores: `standard` within `rescorer`."""
    engine = ElasticsearchEngine(elasticsearch_url)
    words, phrase = {"match": {"text": "green tea"}}, {"match_phrase": {"text": {"query": "green tea", "slop": 5}}}

    async def scores_of(retriever) -> dict[str, float]:
        body = retrievers.body(retriever, size=COUNT, source={"excludes": ["vector"]})
        hits = (await engine._send("POST", f"/{elasticsearch_index}/_search", body))["hits"]["hits"]
        return {hit["_id"]: hit["_score"] for hit in hits}

    try:
        by_words, by_phrase = [await scores_of(retrievers.standard(each)) for each in (words, phrase)]
        rescored = await scores_of(
            retrievers.rescorer(retrievers.standard(words), phrase, window_size=COUNT, rescore_query_weight=2.0)
        )
    finally:
        await engine.close()
    assert 0 < len(by_phrase) < len(by_words)
    expected = {doc_id: score + 2 * by_phrase.get(doc_id, 0) for doc_id, score in by_words.items()}
    assert rescored == pytest.approx(expected, rel=1e-5)


async def test_without_a_licence_the_client_fuses_and_reports_it(elasticsearch_url, elasticsearch_index):
    name = elasticsearch_index
    async with recording_proxy(elasticsearch_url) as proxy:
        engine = ElasticsearchEngine(proxy.url)
        try:
            search = HybridSearch(engine, fusion="native")
            responses = [await search.search(request(name, number)) for number in range(2)]
            assert responses[1].hits == (await HybridSearch(engine).search(request(name, 1))).hits
        finally:
            await engine.close()
    for response in responses:
        (lack,) = response.degraded
        assert (lack.stage, lack.reason) == ("fusion", "not_native")
        assert "wants an enterprise or trial licence, and this server tells of none" in lack.detail
        assert response.hits
    assert sum(path == "/_license" for _, path, _ in proxy.requests) == 1
