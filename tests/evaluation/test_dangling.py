"""Judgments of documents and queries that the collection lacks are counted and said."""

from hybridrank.evaluation.collections.dangling import dangling


def test_absent_queries_and_documents_are_counted_and_named():
    qrels = {"q1": {"gone": 1, "lost": 0, "a": 1}, "q8": {"a": 1}, "q9": {"gone": 2}}
    assert dangling(qrels, {"q1"}, {"a"}, "test") == (
        "test judges 2 queries that queries.jsonl lacks (q8, q9); they are left out",
        "3 of 5 judgments in test are of documents that corpus.jsonl lacks (gone, lost); relevant ones (2) can never"
        " be found, and lower every score",
    )
    assert dangling({"q1": {"gone": 1}}, {"q1"}, {"a"}, "test")[0].startswith("1 of 1 judgment in test is of")


def test_no_message_if_nothing_is_missing():
    assert dangling({"q1": {"a": 1}}, {"q1", "q2"}, {"a", "b"}, "test") == ()


def test_only_the_first_names_are_shown():
    (sentence,) = dangling({f"q{number}": {} for number in range(5)}, set(), set(), "test")
    assert "(q0, q1, q2, …)" in sentence


def test_documents_of_several_indices_go_by_index_and_id():
    assert dangling({"q1": {"shop-de/1": 1, "1": 0}}, {"q1"}, {"1"}, "test") == ()
    assert "shop-de/2" in dangling({"q1": {"shop-de/2": 1}}, {"q1"}, {"1"}, "test")[0]
