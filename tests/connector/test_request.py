from dataclasses import dataclass

import pytest
from pydantic import ValidationError

from hybridrank.connector import HybridSearch, Not, Range, Rescore, SearchRequest, Term, Terms
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.queries.filters import FieldFilter
from hybridrank.connector.types import Document
from hybridrank.index_templates import IndexDefinition


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


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ({"field": "kind", "value": "drink"}, Term("kind", "drink")),
        ({"field": "kind", "values": ["drink", 7]}, Terms("kind", ("drink", 7))),
        ({"field": "price", "gte": 2, "lt": 3.5}, Range("price", gte=2, lt=3.5)),
        ({"filter": {"filter": {"field": "kind", "value": True}}}, Not(Not(Term("kind", True)))),
    ],
    ids=str,
)
def test_a_filter_is_read_from_a_file_by_its_fields(content, wanted):
    request = SearchRequest.model_validate({"index": "docs", "query_text": "tea", "filters": [content]})
    assert request.filters == (wanted,)
    assert SearchRequest.model_validate_json(request.model_dump_json()).filters == (wanted,)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"field": "kind", "value": "drink", "boost": 2}, r"filters\.0\.Term\.boost\n"),
        ({"field": "kind"}, "Range of field 'kind' has no bound"),
        ({"value": "drink"}, "Not: filter; Range: field, gte, lte, gt, lt; Term: field, value; Terms: field, values"),
        ("kind=drink", "a filter has the fields of one of"),
    ],
    ids=str,
)
def test_a_wrong_filter_of_a_file_gets_one_error(content, problem):
    with pytest.raises(ValidationError, match=problem) as raised:
        SearchRequest.model_validate({"index": "docs", "query_text": "tea", "filters": [content]})
    assert raised.value.error_count() == 1


@dataclass(frozen=True)
class Longer(FieldFilter):
    """A filter of an application, with a script."""

    minimum: int

    def clause(self):
        return {"script": {"script": f"doc[{self.field!r}].value.length() >= {self.minimum}"}}

    def converted(self, type_, where):
        return self

    def test_value(self, type_):
        return lambda value: len(str(value)) >= self.minimum


async def test_a_filter_of_an_application_works_on_the_embedded_engine(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    await engine.create_index("docs", IndexDefinition(dimensions=2))
    kinds = {"a": "green", "b": "black", "c": "red"}
    await engine.index_documents(
        "docs", [Document(each, {"text": "tea", "kind": kind}) for each, kind in kinds.items()]
    )
    await engine.refresh("docs")
    for each, found in ((Longer("kind", 5), ["a", "b"]), (Not(Longer("kind", 5)), ["c"])):
        request = SearchRequest(index="docs", query_text="tea", retrievers=("bm25",), filters=(each,), strict=True)
        response = await HybridSearch(engine).search(request)
        assert [hit.doc_id for hit in response.hits] == found
