"""Limits of long query texts."""

from hypothesis import given
from hypothesis import strategies as st

from hybridrank.common.query_text import beginning
from hybridrank.connector.engines.rest.causes import refusal
from hybridrank.connector.queries.retrievers import Bm25Query
from hybridrank.ltr_features import Among, FeatureQuery, FeatureSet, features_body


@given(st.text(max_size=200), st.integers(1, 5), st.integers(1, 20))
def test_a_beginning_is_one_and_does_not_change_again(text, fields, clauses):
    short = beginning(text, fields, clauses=clauses)
    assert text.startswith(short)
    assert beginning(short, fields, clauses=clauses) == short


def test_words_are_counted_by_field():
    """Worked example: 900 words of one field, 300 of three."""
    text = " ".join(f"w{number}" for number in range(2000))
    for fields in (1, 3):
        searched = Bm25Query(text, {f"f{each}": 1.0 for each in range(fields)}, rank_window_size=10).searched_text
        assert len(searched.split()) == 900 // fields


def test_symbols_and_letters_without_spaces_are_words():
    assert beginning("雪が降る", 1, clauses=2) == "雪が"
    assert beginning("🦜🦜🦜", 1, clauses=2) == "🦜🦜"
    assert beginning("straße übermäßig größer", 1, clauses=2) == "straße übermäßig"


def test_passages_count_as_a_field():
    text = " ".join(f"w{number}" for number in range(2000))
    query = Bm25Query(text, {"title": 1.0, "text": 1.0}, rank_window_size=10, path="passages")
    assert len(query.searched_text.split()) == 300


def test_the_features_of_one_search_share_its_clauses():
    columns = [{"name": f"b{each}", "kind": "bm25", "fields": ["title", "text"]} for each in range(20)]
    features = FeatureSet.model_validate({"name": "long", "features": columns})
    query = FeatureQuery(" ".join(f"w{number}" for number in range(2000)))
    body = features_body(features, query, Among({}, 1), dialect="opensearch")
    searched = body["query"]["bool"]["should"][0]["bool"]["must"][0]["multi_match"]["query"]
    assert len(searched.split()) == (900 - 20) // 40


def test_too_many_clauses_is_about_query_text():
    cause = {"type": "too_many_nested_clauses", "reason": "too many nested clauses; maxClauseCount is set to 1024"}
    body = {"error": {"type": "search_phase_execution_exception", "reason": "all failed", "root_cause": [cause]}}
    error = refusal("/docs/_search", 500, body)
    assert error.reason == "too_many_clauses"
    assert "query_text" in str(error)
    assert "1024" in str(error)
