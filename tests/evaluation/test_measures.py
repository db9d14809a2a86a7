"""Measures against arithmetic written out by hand."""

import shutil
from math import log2

import ir_measures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridrank.evaluation.collections.beir import CollectionError
from hybridrank.evaluation.measures.standard import STANDARD_MEASURES, cutoff, evaluate, label, parse_measure

QRELS = {"q": {"a": 2, "b": 1, "c": 0, "d": 1}}


def test_a_worked_example():
    evaluation = evaluate(QRELS, {"q": ["x", "b", "c", "a"]})
    gained = 1 / log2(3) + 2 / log2(5)  # linear gain: grade 1 at rank 2, grade 2 at rank 4
    ideal = 2 / log2(2) + 1 / log2(3) + 1 / log2(4)
    assert evaluation.per_query["q"] == pytest.approx(
        {"ndcg@10": gained / ideal, "rr@10": 1 / 2, "r@100": 2 / 3, "judged@10": 3 / 4}
    )
    assert evaluation.mean == pytest.approx(evaluation.per_query["q"])


def test_every_other_measure_by_hand():
    measures = ["ndcg@2", "ndcg", "rr", "ap", "ap@2", "p@5", "r@2", "judged@2", "err@2", "err@10"]
    evaluation = evaluate(QRELS, {"q": ["x", "b", "c", "a"]}, measures)
    ideal = 2 / log2(2) + 1 / log2(3)
    assert list(evaluation.mean) == measures
    assert evaluation.per_query["q"] == pytest.approx(
        {
            "ndcg@2": (1 / log2(3)) / ideal,
            "ndcg": (1 / log2(3) + 2 / log2(5)) / (ideal + 1 / log2(4)),
            "rr": 1 / 2,
            "ap": (1 / 2 + 2 / 4) / 3,  # relevant at ranks 2 and 4, and one never found
            "ap@2": (1 / 2) / 3,
            "p@5": 2 / 5,  # the fifth place is empty
            "r@2": 1 / 3,
            "judged@2": 1 / 2,
            "err@2": (1 / 16) / 2,  # grade 1 satisfies one in 2^4
            "err@10": (1 / 16) / 2 + (15 / 16) * (3 / 16) / 4,  # grade 2 three, of those that read on
        }
    )


def test_err_alone_needs_nothing_of_ir_measures():
    assert evaluate({"q": {"a": 4}, "none": {"a": 1}}, {"q": ["x", "a"]}, ["err@10"]).mean == {"err@10": 15 / 64}


@pytest.mark.skipif(not shutil.which("perl"), reason="gdeval.pl needs perl")
@settings(max_examples=10)
@given(
    grades=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(-1, 4), min_size=1).filter(
        lambda each: max(each.values()) > 0
    ),
    order=st.permutations("abcdefghxy"),
    k=st.integers(1, 12),
)
def test_err_agrees_with_the_script_of_trec(grades, order, k):
    run = {"1": {doc_id: -float(rank) for rank, doc_id in enumerate(order)}}
    (theirs,) = ir_measures.gdeval.iter_calc([ir_measures.ERR @ k], {"1": grades}, run)
    ours = evaluate({"1": grades}, {"1": order}, [f"err@{k}"]).mean[f"err@{k}"]
    assert ours == pytest.approx(theirs.value, abs=5.1e-6)  # gdeval prints five places


def test_a_grade_that_err_does_not_know_is_named():
    with pytest.raises(CollectionError, match="query q: ERR knows grades up to 4, and one is 7; leave it out"):
        evaluate({"q": {"a": 7}}, {}, ["ndcg@10", "err@10"])  # whether it is found or not


@pytest.mark.parametrize("name", STANDARD_MEASURES)
def test_labels_of_standard_measures_parse_to_the_same_measure(name):
    assert parse_measure(name) == parse_measure(f" {label(name)}{'@10' if name == 'judged@10' else ''} ") == name


def test_cutoffs_of_names():
    assert [cutoff(name) for name in ("ndcg", "ap@5", "r@100")] == [None, 5, 100]


@pytest.mark.parametrize("name", ["", "p", "recall", "err", "ndcg@0", "ndcg@x", "ndcg@", "@10", "bpref", "ndcg@10@20"])
def test_an_unknown_measure_is_refused_and_known_ones_named(name):
    with pytest.raises(ValueError, match="ndcg, rr, ap, with or without @K, or p, r, judged, err with @K"):
        parse_measure(name)


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


def test_queries_without_relevant_documents_are_counted():
    evaluation = evaluate({"q": {"a": 1}, "irrelevant": {"a": 0}, "empty": {}}, {"q": ["a"], "irrelevant": ["a"]})
    assert evaluation.mean["ndcg@10"] == 1.0
    assert evaluation.without_relevant == ("irrelevant", "empty")
    assert set(evaluation.per_query) == {"q"}


def test_nothing_to_measure_is_an_error():
    with pytest.raises(CollectionError, match="none of the judged queries \\(1\\) has a relevant document"):
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
