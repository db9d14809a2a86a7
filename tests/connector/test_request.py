import pytest
from pydantic import ValidationError

from connector import Rescore, SearchRequest, Term


def test_the_window_covers_the_page():
    assert SearchRequest(index="docs", query_text="tea").rank_window_size == 100
    assert SearchRequest(index="docs", query_text="tea", from_=240, size=20).rank_window_size == 260
    assert SearchRequest(index="docs", query_text="tea", from_=240, rank_window_size=50).rank_window_size == 50


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"query_text": "  "}, "query_text"),
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
    ],
)
def test_a_wrong_field_is_named(wrong, field):
    with pytest.raises(ValidationError, match=field):
        SearchRequest(**{"index": "docs", "query_text": "tea"} | wrong)


def test_a_request_does_not_change():
    request = SearchRequest(index="docs", query_text="tea", rescore=Rescore(model="colbert"), filters=(Term("a", 1),))
    with pytest.raises(ValidationError, match="frozen"):
        request.size = 3
