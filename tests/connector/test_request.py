import pytest
from pydantic import ValidationError

from hybridrank.connector import Not, Range, Rescore, SearchRequest, Term, Terms


def test_the_window_covers_the_page():
    assert SearchRequest(index="docs", query_text="tea").rank_window_size == 100
    assert SearchRequest(index="docs", query_text="tea", from_=240, size=20).rank_window_size == 260
    assert SearchRequest(index="docs", query_text="tea", from_=240, rank_window_size=50).rank_window_size == 50


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"query_text": "  "}, "query_text"),
        ({"query_text": "tea " * 20_000_000}, r"query_text\s+String should have at most 100000 characters"),
        ({"index": ""}, "index"),
        ({"size": -1}, "size"),
        ({"from_": -1}, "from"),
        ({"retrievers": ("bm52",)}, "retrievers"),
        ({"retrievers": ()}, "retrievers"),
        ({"fields": {"title": 0}}, "fields"),
        ({"fusion": {"kind": "rff"}}, "fusion"),
        ({"query_vector": (float("nan"),)}, "query_vector"),
        ({"rescore": {"model": "m", "weight": 1.5}}, "weight"),
        ({"rescore": {"model": "m", "timeout_s": 0}}, "timeout_s"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"filters": ("kind=drink",)}, "filters"),
        ({"windowsize": 3}, "windowsize"),
        ({"track_total_hits": -1}, "track_total_hits"),
        ({"track_total_hits": 2**31}, "track_total_hits"),
        ({"filters": (Range("price", gte=float("nan")),)}, r"filters\n.*\[0\].gte is not a finite number"),
        ({"filters": (Term("views", 1 << 64),)}, r"\[0\].value is a whole number beyond 64 bits"),
        ({"aggregations": {"a": {"terms": {"size": float("inf")}}}}, r"aggregations\n.* a.terms.size is not a finite"),
    ],
)
def test_a_wrong_field_is_named(wrong, field):
    with pytest.raises(ValidationError, match=field):
        SearchRequest(**{"index": "docs", "query_text": "tea"} | wrong)


def test_a_request_does_not_change():
    request = SearchRequest(index="docs", query_text="tea", rescore=Rescore(model="colbert"), filters=(Term("a", 1),))
    with pytest.raises(ValidationError, match="frozen"):
        request.size = 3


HALF = "tea \ud83d"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"query_text": HALF}, "query_text"),
        ({"index": HALF}, "index"),
        ({"query_id": HALF}, "query_id"),
        ({"encoder": HALF}, "encoder"),
        ({"fields": {HALF: 1}}, "fields"),
        ({"vector_field": HALF}, "vector_field"),
        ({"filters": (Term("kind", HALF),)}, "filters"),
        ({"filters": (Terms(HALF, ("a",)),)}, "filters"),
        ({"filters": (Terms("kind", ("a", HALF)),)}, "filters"),
        ({"filters": (Not(Range("kind", gte=HALF)),)}, "filters"),
        ({"aggregations": {"a": {"terms": {"field": HALF}}}}, "aggregations"),
        ({"highlight": (HALF,)}, "highlight"),
        ({"collapse": HALF}, "collapse"),
        ({"sort": {HALF: "asc"}}, "sort"),
        ({"rescore": {"model": HALF}}, "model"),
        ({"rescore": {"model": "m", "fields": (HALF,)}}, "fields"),
    ],
)
def test_half_a_surrogate_pair_is_refused_by_name(wrong, field):
    with pytest.raises(ValidationError, match=field) as raised:
        SearchRequest(**{"index": "docs", "query_text": "tea"} | wrong)
    assert "tea" not in str(raised.value)
