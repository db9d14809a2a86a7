"""Measures against arithmetic written out by hand."""

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.collections import CollectionError
from evaluation.measures import evaluate

QRELS = {"q": {"a": 2, "b": 1, "c": 0, "d": 1}}


def test_a_worked_example():
    evaluation = evaluate(QRELS, {"q": ["x", "b", "c", "a"]})
    gained = 1 / log2(3) + 2 / log2(5)  # linear gain: grade 1 at rank 2, grade 2 at rank 4
    ideal = 2 / log2(2) + 1 / log2(3) + 1 / log2(4)
    assert evaluation.per_query["q"] == pytest.approx(
        {"ndcg@10": gained / ideal, "rr@10": 1 / 2, "r@100": 2 / 3, "judged@10": 3 / 4}
    )
    assert evaluation.mean == pytest.approx(evaluation.per_query["q"])


def test_cutoffs_are_ten_and_a_hundred():
    far = [f"x{place}" for place in range(10)]
    evaluation = evaluate({"q": {"a": 1, "b": 1}}, {"q": [*far, "a", *(f"y{place}" for place in range(89)), "b"]})
    assert evaluation.per_query["q"] == {"ndcg@10": 0.0, "rr@10": 0.0, "r@100": 0.5, "judged@10": 0.0}


def test_relevance_begins_at_grade_one():
    evaluation = evaluate({"q": {"zero": 0, "one": 1}}, {"q": ["zero", "one"]})
    assert evaluation.per_query["q"]["rr@10"] == 0.5
    assert evaluation.per_query["q"]["r@100"] == 1.0


def test_a_query_without_a_ranking_scores_zero_and_counts():
    evaluation = evaluate({"q": {"a": 1}, "unanswered": {"a": 1}}, {"q": ["a"], "unanswered": []})
    assert set(evaluation.per_query["unanswered"].values()) == {0.0}
    assert evaluation.mean["ndcg@10"] == 0.5


def test_queries_without_a_relevant_document_are_left_out_and_counted():
    evaluation = evaluate({"q": {"a": 1}, "irrelevant": {"a": 0}, "empty": {}}, {"q": ["a"], "irrelevant": ["a"]})
    assert evaluation.mean["ndcg@10"] == 1.0
    assert evaluation.without_relevant == ("irrelevant", "empty")
    assert set(evaluation.per_query) == {"q"}


def test_nothing_to_measure_is_an_error():
    with pytest.raises(CollectionError, match="none of the 1 judged queries has a relevant document"):
        evaluate({"q": {"a": 0}}, {"q": ["a"]})


@given(order=st.permutations(["a", "b", "c", "d", "x", "y"]))
def test_the_order_given_is_the_order_measured(order):
    """trec_eval sorts by score and breaks ties by doc_id; our ranks must reach it untouched."""
    gains = [QRELS["q"].get(doc_id, 0) / log2(rank + 1) for rank, doc_id in enumerate(order, start=1)]
    ideal = 2 + 1 / log2(3) + 1 / 2
    first = min(order.index(doc_id) for doc_id in "abd") + 1
    measured = evaluate(QRELS, {"q": order}).per_query["q"]
    assert measured["ndcg@10"] == pytest.approx(sum(gains) / ideal)
    assert measured["rr@10"] == pytest.approx(1 / first)
