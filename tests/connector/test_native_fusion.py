"""Fusion inside the engine, as far as it is pure: the bodies, who can, how the answer is read, and when not to ask."""

import json
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.connector import FeatureRescore, HybridSearch, Rrf, SearchRequest, WeightedSum
from hybridrank.connector.engines.elasticsearch import native as in_elasticsearch
from hybridrank.connector.engines.elasticsearch import retrievers
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.engines.opensearch import native as in_opensearch
from hybridrank.connector.engines.rest import fused
from hybridrank.connector.errors import EngineError, EngineTimeout, EngineUnreachable, IndexMissing
from hybridrank.connector.types import Candidate, Retrieved
from tests.connector.test_fusion import rankings
from tests.contracts.passages import DEFINITION, PASSAGES, feature_set

DRINKS = [{"term": {"kind": "drink"}}]
BM25 = {
    "query": {"bool": {"must": [{"match": {"text": "tea"}}], "filter": DRINKS}},
    "size": 50,
    "_source": {"excludes": ["vector"]},
}
KNN = {
    "query": {"knn": {"vector": {"vector": [0.5], "k": 100, "filter": {"bool": {"filter": DRINKS}}}}},
    "size": 50,
    "_source": {"excludes": ["vector"]},
}
BOTH = ("bm25", "knn")


def opensearch_lack(answer, fusion, retrievers) -> str:
    try:
        form = fusion.native("opensearch", retrievers)
    except EngineError as error:
        return f"{error.reason}: {error}"
    return in_opensearch.lack(answer, form, len(retrievers))


def rrf_body(*weights: float) -> dict:
    fusion = Rrf(rank_constant=20, weights=dict(zip(BOTH, weights, strict=True)))
    return in_opensearch.body([BM25, KNN], fusion.native("opensearch", BOTH), 50)


def test_the_hybrid_body_needs_no_search_pipeline_on_the_server():
    assert rrf_body(1.0, 1.0) == {
        "query": {"hybrid": {"queries": [BM25["query"], KNN["query"]], "pagination_depth": 50}},
        "search_pipeline": {
            "phase_results_processors": [
                {"score-ranker-processor": {"combination": {"technique": "rrf", "rank_constant": 20}}}
            ]
        },
        "size": 50,
        "track_total_hits": False,
        "_source": {"excludes": ["vector"]},
    }


def test_weights_are_sent_as_floats_that_sum_to_one():
    (processor,) = rrf_body(3, 1)["search_pipeline"]["phase_results_processors"]
    assert processor["score-ranker-processor"]["combination"]["parameters"] == {"weights": [0.75, 0.25]}
    assert '"weights": [1.0, 0.0]' in json.dumps(rrf_body(2, 0))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=5).filter(lambda weights: fsum(weights) > 1e-6))
def test_shares_sum_to_one(weights):
    shares = in_opensearch.shares(weights)
    assert fsum(shares) == pytest.approx(1)
    assert all(isinstance(each, float) and 0 <= each <= 1 for each in shares)


@given(rankings, st.lists(st.floats(0.01, 100), min_size=4, max_size=4))
def test_scores_by_shares_times_the_sum_are_ours(given_rankings, given_weights):
    """Oracle: the server adds share / (rank_constant + rank); scaled by the sum of the weights that is Rrf."""
    weights = dict(zip(("bm25", "knn", "title", "tags"), given_weights, strict=True))
    fusion = Rrf(weights=weights)
    shares = dict(zip(given_rankings, in_opensearch.shares(fusion.weights_of(list(given_rankings))), strict=True))
    total = fsum(weights[name] for name in given_rankings)
    theirs: dict[str, float] = {}
    for name, ranking in given_rankings.items():
        for each in ranking:
            theirs[each.doc_id] = theirs.get(each.doc_id, 0.0) + shares[name] / (60 + each.rank)
    ours = {each.candidate.doc_id: each.candidate.score for each in fusion.fuse(given_rankings)}
    assert {doc_id: total * score for doc_id, score in theirs.items()} == pytest.approx(ours)


# The shapes of https://www.elastic.co/docs/reference/elasticsearch/rest-apis/retrievers
STANDARD = [{"standard": {"query": BM25["query"]}}, {"standard": {"query": KNN["query"]}}]


def held() -> list[retrievers.Retriever]:
    return [retrievers.standard(BM25["query"]), retrievers.standard(KNN["query"])]


def test_rrf_of_elasticsearch():
    plain = retrievers.rrf(held(), weights=[1.0, 1.0], rank_window_size=50)
    assert plain == {"rrf": {"retrievers": STANDARD, "rank_constant": 60, "rank_window_size": 50}}
    weighted = retrievers.rrf(held(), rank_constant=20, weights=[2.0, 1.0], rank_window_size=50)
    assert weighted["rrf"]["retrievers"] == [
        {"retriever": STANDARD[0], "weight": 2.0},
        {"retriever": STANDARD[1], "weight": 1.0},
    ]


def test_linear_of_elasticsearch():
    assert retrievers.linear(held(), weights=[0.3, 0.7], rank_window_size=50) == {
        "linear": {
            "retrievers": [
                {"retriever": STANDARD[0], "weight": 0.3, "normalizer": "minmax"},
                {"retriever": STANDARD[1], "weight": 0.7, "normalizer": "minmax"},
            ],
            "rank_window_size": 50,
        }
    }


def test_retrievers_hold_one_another():
    phrase = {"match_phrase": {"text": "green tea"}}
    ranked = retrievers.rrf(held(), rank_window_size=100)
    reranked = retrievers.text_similarity_reranker(
        retrievers.rescorer(ranked, phrase, rescore_query_weight=0.5),
        field="text",
        inference_id="sidecar",
        query_text="green tea",
    )
    assert retrievers.body(reranked, size=10, source={"excludes": ["vector"]}) == {
        "retriever": {
            "text_similarity_reranker": {
                "retriever": {
                    "rescorer": {
                        "retriever": ranked,
                        "rescore": {
                            "window_size": 50,
                            "query": {
                                "rescore_query": phrase,
                                "query_weight": 1.0,
                                "rescore_query_weight": 0.5,
                                "score_mode": "total",
                            },
                        },
                    }
                },
                "field": "text",
                "inference_id": "sidecar",
                "inference_text": "green tea",
                "rank_window_size": 50,
                "allow_rerank_failures": True,
            }
        },
        "size": 10,
        "track_total_hits": False,
        "_source": {"excludes": ["vector"]},
    }


def nodes(*versions: str, processor: str = "score-ranker-processor") -> dict:
    """As `_nodes/search_pipelines` of OpenSearch 3.6.0 answers, cut to what is read."""
    pipelines = {"phase_results_processors": [{"type": "normalization-processor"}, {"type": processor}]}
    return {
        "nodes": {
            f"id{place}": {"name": f"node-{place}", "version": version, "search_pipelines": pipelines}
            for place, version in enumerate(versions, start=1)
        }
    }


@pytest.mark.parametrize(
    ("answer", "fusion", "lack"),
    [
        (nodes("3.6.0"), Rrf(), ""),
        (nodes("3.10.1", "4.0.0-SNAPSHOT"), Rrf(weights={"knn": 2}), ""),
        (nodes("3.6.0", "3.4.0"), Rrf(), "OpenSearch 3.4.0 ranks every shard by itself"),
        (nodes("2.19.0"), Rrf(), "2.19.0 ranks every shard"),
        (nodes("3.6.0", processor="other"), Rrf(), "node 'node-1' has no score-ranker-processor"),
        ({"nodes": {"id": {"name": "bare", "version": "3.6.0"}}}, Rrf(), "node 'bare' has no score-ranker-processor"),
        (nodes("3.6.0"), WeightedSum(), "in another way than WeightedSum"),
        (nodes("3.6.0"), Rrf(rank_constant=10_001), "at most 10000"),
        (nodes("3.6.0"), Rrf(weights={"bm25": 0, "knn": 0}), "all 0"),
    ],
)
def test_which_opensearch_can(answer, fusion, lack):
    found = opensearch_lack(answer, fusion, BOTH)
    assert lack in found
    assert bool(found) == bool(lack)


def test_five_queries_are_the_most():
    assert opensearch_lack(nodes("3.6.0"), Rrf(), "abcde") == ""
    assert "holds 5 queries, not 6" in opensearch_lack(nodes("3.6.0"), Rrf(), "abcdef")


@pytest.mark.parametrize(
    ("version", "licence", "fusion", "lack"),
    [
        ("8.16.0", "enterprise", Rrf(), ""),
        ("9.2.0", "trial", Rrf(weights={"knn": 2}), ""),
        ("9.0.4", "trial", WeightedSum(weights={"knn": 2}), ""),
        ("8.15.5", "enterprise", Rrf(), "no retriever rrf; 8.16 and later"),
        ("9.1.9", "enterprise", Rrf(weights={"knn": 2}), "no retriever rrf with weights; 9.2 and later"),
        ("9.1.9", "enterprise", Rrf(weights={"knn": 1}), ""),
        ("8.17.0", "enterprise", WeightedSum(), "no retriever linear; 8.18 and later"),
        ("9.5.3", "basic", Rrf(), "this server's is 'basic'"),
        ("9.5.3", "platinum", WeightedSum(), "this server's is 'platinum'"),
        ("9.5.3", "", Rrf(), "this server tells of none"),
    ],
)
def test_which_elasticsearch_can(version, licence, fusion, lack):
    found = in_elasticsearch.lack(version, licence, fusion.native("elasticsearch", BOTH))
    assert lack in found
    assert bool(found) == bool(lack)


def answer(*hits: tuple[str, float], failed: int = 0) -> dict:
    return {
        "timed_out": False,
        "_shards": {"total": 2, "successful": 2 - failed, "failed": failed},
        "hits": {"hits": [{"_index": "docs", "_id": doc_id, "_score": score} for doc_id, score in hits]},
    }


def test_a_fused_answer_is_a_ranking_with_our_scores():
    found = fused.ranked("docs", answer(("b", 0.5), ("a", 0.5), ("c", 0.25)), scale=4.0)
    assert found == Retrieved(
        tuple(Candidate(*each, index="docs") for each in (("a", 1, 2.0), ("b", 2, 2.0), ("c", 3, 1.0)))
    )
    assert fused.ranked("docs", answer(("a", 0.5), failed=1), scale=1.0).warning.startswith("1 of 2 shards failed")


@pytest.mark.parametrize(
    "hits",
    [
        [("a", -9549511920.4881596077), ("b", -4422440593.9791198149), ("a", 1.3), ("b", -9549511920.4881596077)],
        [("a", 0.5), ("a", 0.4)],
    ],
    ids=["markers", "twice"],
)
def test_an_answer_that_is_not_fused_is_refused(hits):
    with pytest.raises(EngineError, match="not fused") as caught:
        fused.ranked("docs", answer(*hits), scale=1.0)
    assert caught.value.reason == "not_fused"


@pytest.fixture
async def engine(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    await engine.create_index("menu", DEFINITION)
    await engine.index_documents("menu", PASSAGES)
    return engine


class Fusing:
    """A real engine that answers a request for a fused ranking with what it is told."""

    def __init__(self, inner: EmbeddedEngine, outcome: Retrieved | EngineError) -> None:
        self.inner, self.outcome, self.asked = inner, outcome, 0

    def __getattr__(self, name: str):
        return getattr(self.inner, name)

    async def retrieve_fused(self, index, queries, fusion):
        self.asked += 1
        if isinstance(self.outcome, EngineError):
            raise self.outcome
        return self.outcome


def request(**changes) -> SearchRequest:
    return SearchRequest(**{"index": "menu", "query_text": "hot tea", "query_vector": (1.0, 0.2, 0.0)} | changes)


async def test_the_client_fuses_and_reports_it_when_the_engine_cannot(engine):
    response = await HybridSearch(engine, fusion="native").search(request())
    (lack,) = response.degraded
    assert (lack.stage, lack.reason) == ("fusion", "not_native")
    assert lack.detail == "fused by the client: the embedded engine leaves fusion to the client"
    assert response.hits == (await HybridSearch(engine).search(request())).hits


async def test_a_refusal_is_no_loss(engine):
    refusing = Fusing(engine, EngineError("hybrid is not allowed here", status=400, reason="parsing_exception"))
    response = await HybridSearch(refusing, fusion="native").search(request())
    assert [(each.stage, each.reason) for each in response.degraded] == [("fusion", "parsing_exception")]
    assert response.hits == (await HybridSearch(engine).search(request())).hits


@pytest.mark.parametrize("kind", [EngineUnreachable, EngineTimeout, IndexMissing])
async def test_an_engine_that_is_not_there_is_not_asked_again(engine, kind):
    with pytest.raises(kind):
        await HybridSearch(Fusing(engine, kind("gone")), fusion="native").search(request())


async def test_native_fusion_returns_the_engine_ranking_alone(engine):
    cake = Candidate("cake", 1, 0.5, {"title": "Cake"}, index="menu")
    fused = Retrieved((cake, Candidate("tea", 2, 0.25, index="menu")), "1 of 2 shards failed")
    response = await HybridSearch(Fusing(engine, fused), fusion="native").search(request())
    assert [(hit.doc_id, hit.fused_rank, hit.fused_score, hit.retrievers) for hit in response.hits] == [
        ("cake", 1, 0.5, {}),
        ("tea", 2, 0.25, {}),
    ]
    assert response.hits[0].source["text"] == "Flour, eggs and sugar."  # as stored, for a ranking needs no sources
    assert [(each.stage, each.reason) for each in response.degraded] == [("fusion", "partial")]
    assert response.total is None  # such a search does not count lexical matches


async def test_one_retriever_has_nothing_to_fuse(engine):
    fusing = Fusing(engine, Retrieved(()))
    response = await HybridSearch(fusing, fusion="native").search(request(retrievers=("bm25",)))
    assert response.hits
    assert (fusing.asked, response.degraded) == (0, ())


async def test_features_of_retrievers_keep_fusion_in_the_client(engine):
    """A model trained on ranks must not see a candidate as one that no retriever found."""
    fusing = Fusing(engine, Retrieved(()))
    features = feature_set(rank={"kind": "retriever", "retriever": "bm25", "value_of": "rank"})
    stage = FeatureRescore(feature_set=features, with_features=True, timeout_s=30)
    response = await HybridSearch(fusing, fusion="native").search(request(rescore=stage))
    assert fusing.asked == 0
    assert [each.stage for each in response.degraded] == ["fusion"]
    ranks = {hit.doc_id: hit.retrievers["bm25"].rank for hit in response.hits if "bm25" in hit.retrievers}
    assert {hit.doc_id: hit.features["rank"] for hit in response.hits if hit.doc_id in ranks} == ranks != {}
