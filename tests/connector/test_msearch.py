"""Responses as the engines give them, whole and broken. Error bodies were recorded from OpenSearch 3.6.0."""

import pytest

from hybridrank.connector.engines.rest import msearch
from hybridrank.connector.errors import EngineError, IndexMissing
from hybridrank.connector.total_hits import TotalHits
from hybridrank.connector.types import Candidate, DocumentKey, Retrieved


def hit(index: str, doc_id: str, score: float) -> dict:
    return {"_index": index, "_id": doc_id, "_score": score, "_source": {"title": doc_id}}


def found(doc_id: str, rank: int, score: float, index: str = "docs") -> Candidate:
    return Candidate(doc_id, rank, score, index=index)


def response(*hits: tuple[str, float], **more) -> dict:
    return {
        "took": 1,
        "timed_out": False,
        "_shards": {"total": 1, "successful": 1, "failed": 0},
        "hits": {"hits": [hit("docs", doc_id, score) for doc_id, score in hits]},
    } | more


def test_lines_alternate_header_and_body():
    assert msearch.lines("docs", [{"size": 1}, {"size": 2}]) == [
        {"index": "docs"}, {"size": 1}, {"index": "docs"}, {"size": 2},
    ]  # fmt: skip


def test_equal_scores_are_put_in_doc_id_order():
    answer = msearch.retrieved("docs", response(("z", 2.0), ("b", 1.0), ("a", 1.0)))
    assert answer == Retrieved((found("z", 1, 2.0), found("a", 2, 1.0), found("b", 3, 1.0)))


def test_an_id_in_two_indices_is_two_documents_in_index_order():
    hits = [hit("shop-en", "2", 1.0), hit("shop-de", "2", 1.0), hit("shop-en", "1", 1.0)]
    answer = msearch.retrieved("shop", response(hits={"hits": hits}))
    assert [str(each.key) for each in answer.ranking] == ["shop-de/2", "shop-en/1", "shop-en/2"]


def test_a_hit_read_by_column_has_the_index_it_is_in():
    by_column = {"_index": "shop-de", "_score": 1.0, "fields": {"hybridrank_id": ["1"]}}
    (only,) = msearch.retrieved("shop", response(hits={"hits": [by_column]})).ranking
    assert only.key == DocumentKey("shop-de", "1")


WHOLE = {"total": 2, "successful": 2, "failed": 0}
FAILED = {"total": 2, "successful": 1, "failed": 1, "failures": [{"shard": 1, "reason": {"type": "x", "reason": "y"}}]}


@pytest.mark.parametrize(
    ("relation", "more", "expected"),
    [
        ("eq", {"_shards": WHOLE}, "eq"),
        ("gte", {"_shards": WHOLE}, "gte"),
        ("eq", {"_shards": FAILED}, "gte"),
        ("eq", {"_shards": {"total": 2, "successful": 1, "failed": 0}}, "gte"),
        ("eq", {"timed_out": True}, "gte"),
    ],
    ids=str,
)
def test_the_total_is_a_lower_bound_when_shards_are_missing(relation, more, expected):
    hits = {"total": {"value": 12, "relation": relation}, "hits": [hit("docs", "a", 1.0)]}
    assert msearch.retrieved("docs", response(hits=hits, **more)).total == TotalHits(12, expected)


@pytest.mark.parametrize("total", [None, 12, {}, {"value": "12"}, {"value": None, "relation": "eq"}, {"value": True}])
def test_a_total_that_is_no_count_costs_no_hit(total):
    answer = msearch.retrieved("docs", response(hits={"total": total, "hits": [hit("docs", "a", 1.0)]}))
    assert (answer.total, len(answer.ranking)) == (None, 1)


def test_an_id_on_two_shards_by_routing_is_ranked_once():
    hits = [hit("docs", "a", 2.0), hit("docs", "b", 1.5), hit("docs", "a", 1.0)]
    answer = msearch.retrieved("docs", response(hits={"hits": hits}))
    assert answer.ranking == (found("a", 1, 2.0), found("b", 2, 1.5))


def test_the_indices_whose_shards_failed_are_named():
    cause = {"reason": {"type": "x", "reason": "not a vector"}}
    failures = [{"shard": 0, "index": f"logs-{number}", **cause} for number in range(7)]
    answer = msearch.retrieved("*", response(_shards={"total": 9, "failed": 7, "failures": failures}))
    assert answer.warning == ("7 of 9 shards failed (logs-0, logs-1, logs-2, logs-3, logs-4 and 2 more): not a vector")


def test_a_failed_shard_leaves_the_hits_and_a_warning():
    shards = {"total": 3, "failed": 1, "failures": [{"shard": 2, "reason": {"type": "x", "reason": "node left"}}]}
    answer = msearch.retrieved("docs", response(("a", 1.0), _shards=shards))
    assert isinstance(answer, Retrieved)
    assert answer.warning == "1 of 3 shards failed: node left"
    assert len(answer.ranking) == 1


def test_an_unassigned_shard_is_reported_though_none_failed():
    """As OpenSearch 3.6.0 answered when the only copy of a shard was on a node that had been stopped."""
    answer = msearch.retrieved("docs", response(("a", 1.0), _shards={"total": 3, "successful": 2, "failed": 0}))
    assert isinstance(answer, Retrieved)
    assert answer.warning == "1 of 3 shards are not there: no copy of them is up"


def failed(*types: str) -> dict:
    failures = [{"shard": 1, "index": "docs", "reason": {"type": each, "reason": "…"}} for each in types]
    return {"total": 3, "successful": 3 - len(types), "failed": len(types), "failures": failures}


def test_an_answer_lost_with_a_node_can_be_requested_again():
    """Recorded while a node of three was stopped, between ranking and fetching."""
    gone = failed("search_context_missing_exception", "node_disconnected_exception")
    assert msearch.lost_a_node(response(("a", 1.0), _shards=gone))
    closed = [{"type": "node_closed_exception", "reason": "…"}]
    error = {"type": "search_phase_execution_exception", "reason": "", "phase": "fetch"}
    assert msearch.lost_a_node({"error": error | {"root_cause": closed}, "status": 503})
    assert msearch.lost_a_node({"error": error | {"root_cause": []}, "status": 500})
    refused = {"error": {"root_cause": [{"type": "parsing_exception"}], "type": "parsing_exception"}, "status": 400}
    assert not msearch.lost_a_node(refused)
    assert not msearch.lost_a_node(response(("a", 1.0)))
    assert not msearch.lost_a_node(response(_shards={"total": 3, "successful": 2, "failed": 0}))
    overloaded = failed("node_disconnected_exception", "circuit_breaking_exception")
    assert not msearch.lost_a_node(response(_shards=overloaded))


def test_aggregations_come_with_the_ranking():
    counts = {"kinds": {"buckets": [{"key": "drink", "doc_count": 2}]}}
    answer = msearch.retrieved("docs", response(aggregations=counts))
    assert answer == Retrieved((), aggregations=counts)


def test_a_search_cut_short_by_the_engine_says_so():
    answer = msearch.retrieved("docs", response(("a", 1.0), timed_out=True))
    assert isinstance(answer, Retrieved)
    assert "time limit" in answer.warning


def test_the_cause_of_an_error_is_its_root_cause():
    said = "failed to create query: Query vector has invalid dimension: 2. Dimension should be: 3"
    cause = {"type": "query_shard_exception", "reason": said, "index": "docs"}
    error = {
        "root_cause": [cause],
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
        "failed_shards": [{"shard": 0, "index": "docs", "node": "0gQ", "reason": cause}],
    }
    answer = msearch.retrieved("docs", {"error": error, "status": 400})
    assert isinstance(answer, EngineError)
    assert str(answer) == f"index 'docs': {said}"
    assert (answer.status, answer.reason) == (400, "query_shard_exception")


def test_a_missing_index_has_its_own_error():
    cause = {"type": "index_not_found_exception", "reason": "no such index [docs]", "index": "docs"}
    error = {"root_cause": [cause], **cause}
    answer = msearch.retrieved("docs", {"error": error, "status": 404})
    assert isinstance(answer, IndexMissing)
    assert "hybridrank index" in str(answer)
