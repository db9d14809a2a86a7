"""Query bodies, compared whole: what is sent is the contract with the engines."""

import pytest

from hybridrank.connector.engines.elasticsearch.dialect import ELASTICSEARCH
from hybridrank.connector.engines.opensearch.dialect import OPENSEARCH
from hybridrank.connector.queries import filters
from hybridrank.connector.queries.filters import Not, Range, Term, Terms
from hybridrank.connector.queries.retrievers import Bm25Query, KnnQuery
from hybridrank.connector.types import DocumentKey

DRINKS = (Term("kind", "drink"), Range("price", gte=2, lt=9))
DRINK_CLAUSES = [{"term": {"kind": "drink"}}, {"range": {"price": {"gte": 2, "lt": 9}}}]
VECTOR = KnnQuery((0.5, -0.25), "vector", rank_window_size=100, num_candidates=200, source_excludes=("vector",))
FILTERED = KnnQuery(
    (0.5, -0.25), "vector", rank_window_size=100, num_candidates=200, filters=DRINKS, source_excludes=("vector",)
)


def test_bm25_without_a_filter_is_a_bare_multi_match():
    assert Bm25Query("green tea", {"title": 2.0, "text": 1.0}, rank_window_size=100, source_excludes=("vector",)).body(
        OPENSEARCH
    ) == {
        "query": {
            "multi_match": {
                "query": "green tea",
                "type": "best_fields",
                "tie_breaker": 0.2,
                "fields": ["title^2", "text^1"],
            }
        },
        "size": 100,
        "track_total_hits": False,
        "_source": {"excludes": ["vector"]},
    }


@pytest.mark.parametrize("up_to", [False, True, 1_000])
def test_bm25_counts_matches_up_to_what_is_asked(up_to):
    query = Bm25Query("tea", {"text": 1.0}, rank_window_size=10, track_total_hits=up_to)
    assert query.body(OPENSEARCH)["track_total_hits"] is up_to


def test_bm25_filters_without_touching_the_score():
    query = Bm25Query("tea", {"text": 0.5}, rank_window_size=10, filters=DRINKS).body(OPENSEARCH)["query"]
    assert query["bool"]["filter"] == DRINK_CLAUSES
    assert [*query["bool"]] == ["must", "filter"]
    assert query["bool"]["must"][0]["multi_match"]["fields"] == ["text^0.5"]


def test_aggregations_go_with_bm25_as_they_are():
    counts = {"kinds": {"terms": {"field": "kind"}}}
    body = Bm25Query("tea", {"text": 1.0}, rank_window_size=0, filters=DRINKS, aggregations=counts).body(OPENSEARCH)
    assert (body["aggs"], body["size"]) == (counts, 0)
    assert body["query"]["bool"]["filter"] == DRINK_CLAUSES


def test_highlights_are_asked_for_documents_by_id():
    query = Bm25Query("green tea", {"title": 2.0}, rank_window_size=100, filters=DRINKS)
    assert query.highlights(("text",), [DocumentKey("menu", "a"), DocumentKey("menu", "b")]) == {
        "query": {"bool": {"filter": [{"term": {"_index": "menu"}}, {"ids": {"values": ["a", "b"]}}]}},
        "size": 2,
        "track_total_hits": False,
        "_source": False,
        "highlight": {
            "encoder": "html",
            "highlight_query": Bm25Query("green tea", {"title": 2.0}, rank_window_size=100).body(OPENSEARCH)["query"],
            "fields": {"text": {}},
        },
    }


def test_knn_for_opensearch():
    assert FILTERED.body(OPENSEARCH) == {
        "query": {"knn": {"vector": {"vector": [0.5, -0.25], "k": 200, "filter": {"bool": {"filter": DRINK_CLAUSES}}}}},
        "size": 100,
        "track_total_hits": False,
        "_source": {"excludes": ["vector"]},
    }
    assert "filter" not in VECTOR.body(OPENSEARCH)["query"]["knn"]["vector"]


def test_knn_for_elasticsearch():
    assert FILTERED.body(ELASTICSEARCH) == {
        "query": {
            "knn": {
                "field": "vector",
                "query_vector": [0.5, -0.25],
                "k": 100,
                "num_candidates": 200,
                "filter": DRINK_CLAUSES,
            }
        },
        "size": 100,
        "track_total_hits": False,
        "_source": {"excludes": ["vector"]},
    }
    assert "filter" not in VECTOR.body(ELASTICSEARCH)["query"]["knn"]


def test_every_filter_has_a_clause():
    assert filters.clauses([Terms("tag", ("a", 1)), Not(Term("sold", True)), Range("day", gt="2024-01-01")]) == [
        {"terms": {"tag": ["a", 1]}},
        {"bool": {"must_not": [{"term": {"sold": True}}]}},
        {"range": {"day": {"gt": "2024-01-01"}}},
    ]
