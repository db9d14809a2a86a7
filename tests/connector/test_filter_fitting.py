"""Filters against mappings that others made."""

import pytest
from pydantic import ValidationError

from hybridrank.cli.options.filters import parse
from hybridrank.connector import SearchRequest
from hybridrank.connector.mapping import fields
from hybridrank.connector.mapping.filter_values import cut_short
from hybridrank.connector.queries import checks
from hybridrank.connector.queries.filters import Not, Range, Term, Terms
from hybridrank.connector.types import Document
from tests.contracts.passages import bm25

FOREIGN = {
    "title": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 5}}},
    "body": {"type": "text"},
    "brand": {
        "type": "text",
        "fields": {"low": {"type": "keyword", "normalizer": "lowercase"}, "raw": {"type": "keyword"}},
    },
    "price": {"type": "long"},
    "weight": {"type": "float"},
    "cost": {"type": "alias", "path": "price"},
    "since": {"type": "date"},
    "address": {"type": "ip"},
    "place": {"type": "geo_point"},
    "shop": {"properties": {"city": {"type": "keyword"}}},
    "facts": {"type": "flattened", "ignore_above": 4},
    "reviews": {"type": "nested", "properties": {"by": {"type": "keyword"}}},
    "notes": {"type": "nested", "include_in_root": True, "properties": {"by": {"type": "keyword"}}},
}
MAPPING = {"shop": {"mappings": {"properties": FOREIGN, "runtime": {"day": {"type": "keyword"}}}}}


def sent(each, mappings=None):
    there = fields.read(mappings or MAPPING)
    assert checks.filter_problem("shop", there, bm25("tea", filters=[each])) == ""
    return each.fitted("shop", there.filtered)


def problem(each, mappings=None):
    return checks.filter_problem("shop", fields.read(mappings or MAPPING), bm25("tea", filters=[each]))


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (Term("title", "Tea"), Term("title.keyword", "Tea")),
        (Not(Terms("brand", ("Ab", 5))), Not(Terms("brand.raw", ("Ab", "5")))),
        (Range("title", gte="a"), Range("title.keyword", gte="a")),
        (Term("price", "007"), Term("price", 7)),
        (Term("price", 7.0), Term("price", 7)),
        (Range("cost", gte="2", lt=9.0), Range("cost", gte=2, lt=9)),
        (Term("price", "9007199254740993"), Term("price", 2**53 + 1)),
        (Range("since", gte="2024-05-01", lt=2025), Range("since", gte="2024-05-01", lt=2025)),
        (Term("address", "10.0.0.0/8"), Term("address", "10.0.0.0/8")),
        (Term("shop.city", 7), Term("shop.city", "7")),
        (Term("facts.size", 42), Term("facts.size", "42")),
        (Term("notes.by", "ann"), Term("notes.by", "ann")),
        (Term("_index", "shop"), Term("_index", "shop")),
        (Term("day", "monday"), Term("day", "monday")),
    ],
    ids=str,
)
def test_values_become_what_the_field_holds(asked, wanted):
    found = sent(asked)
    assert found == wanted
    assert repr(found) == repr(wanted)
    assert sent(found) == wanted


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (Term("body", "Tea"), "'body' of index 'shop' is analysed text"),
        (Term("title", "longer"), "up to 5 characters"),
        (Term("title", "🦜🦜🦜"), "up to 5 characters"),
        (Term("facts.size", "large"), "up to 4 characters"),
        (Term("price", 5.5), "is of type long, which cut off fractions"),
        (Range("price", gte=5.2, lt=6), "is of type long, which cut off fractions"),
        (Term("weight", 2**24 + 1), "neighbours"),
        (Term("since", True), "not boolean"),
        (Term("place", "52,13"), "geo_point"),
        (Term("facts", "a"), "FIELD.KEY"),
        (Range("facts.size", gte=1), "has no range"),
    ],
    ids=str,
)
def test_a_filter_that_cannot_match_is_named(asked, sentence):
    assert sentence in problem(asked)
    assert sentence in problem(Not(asked))


def indices(**types):
    return {name: {"mappings": {"properties": {"x": found}}} for name, found in types.items()}


@pytest.mark.parametrize("type_", ["double", "float", "half_float"])
@pytest.mark.parametrize("asked", [Term("x", 2**53 + 1), Terms("x", (1, -(2**53)))], ids=["Term", "Terms"])
def test_for_inexact_numbers_the_error_suggests_a_keyword_field(asked, type_):
    """Not to a Range, which has the neighbours in it."""
    sentence = problem(asked, indices(a={"type": type_}))
    assert "write them as strings into a keyword field" in sentence
    assert "Range" not in sentence


def test_a_filter_means_the_same_in_all_indices_or_is_refused():
    keyword, double, long = {"type": "keyword"}, {"type": "double"}, {"type": "long"}
    text = {"type": "text", "fields": {"keyword": {"type": "keyword"}}}
    assert sent(Term("x", "5"), indices(a=double, b=long)) == Term("x", 5)
    assert sent(Term("x", "5"), indices(a=keyword, b=keyword)) == Term("x", "5")
    assert "keyword in 'a', double in 'b'" in problem(Term("x", 5), indices(a=keyword, b=double))
    assert "text in 'a', keyword in 'b'" in problem(Term("x", "a"), indices(a=text, b=keyword))
    assert "cut off fractions" in problem(Range("x", gte=5.5), indices(a=double, b=long))
    assert sent(Term("x", "5"), indices(a=double) | {"c": {"mappings": {}}}) == Term("x", 5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Term("tags", ("a", "b")),
        lambda: Term("tags", ["a"]),
        lambda: Term("tags", None),
        lambda: Term("tags", {"a": 1}),
        lambda: Terms("tags", "ab"),
        lambda: Terms("tags", (("a",),)),
        lambda: Terms("tags", tuple(map(str, range(65_537)))),
        lambda: Range("tags"),
        lambda: Range("tags", gte=(1,)),
        lambda: Range("tags", gte=True),
        lambda: Not(Not("tags=a")),
    ],
)
def test_values_that_no_engine_compares_are_refused_at_once(make):
    with pytest.raises(ValueError, match=r"tags|Not takes"):
        make()


def test_a_request_of_plain_data_checks_its_filters_too():
    with pytest.raises(ValidationError, match="filters"):
        SearchRequest(index="shop", query_text="tea", filters=({"field": "tags", "value": ("a", "b")},))


def test_filters_of_the_command_line_keep_what_was_typed():
    assert parse("sku=007") == Term("sku", "007")
    assert parse("flag=true,false") == Terms("flag", ("true", "false"))
    assert parse("v!=1e3") == Not(Term("v", "1e3"))
    assert parse("depth>=2") == Range("depth", gte=2)
    assert parse("price<5.50") == Range("price", lt=5.5)
    assert parse("since>2024-01-01") == Range("since", gt="2024-01-01")
    assert parse("depth>=1_000") == Range("depth", gte="1_000")


def test_a_number_that_would_lose_its_fraction_is_named():
    there = fields.read(MAPPING)
    assert "'price' is of type long" in cut_short(there.filtered, {"price": [5, 5.5]})
    assert "'price' is of type long" in cut_short(there.filtered, {"price": "5.5"})
    assert cut_short(there.filtered, Document("a", {"price": 5.0, "weight": 5.5}).source) == ""


@pytest.mark.parametrize(
    ("type_", "each"),
    [
        ("byte", Term("n", 128)),
        ("integer", Terms("n", (1, 2**31))),
        ("long", Not(Term("n", 1e300))),
        ("unsigned_long", Term("n", -1)),
        ("integer", Range("n", gt=-(2**40))),
        ("double", Term("n", "1e400")),
        ("double", Range("n", lt="-1e400")),
    ],
)
def test_a_number_that_the_type_cannot_hold_is_refused_by_name(type_, each):
    mapping = {"shop": {"mappings": {"properties": {"n": {"type": type_}}}}}
    assert problem(each, mapping).startswith(f"field 'n' of index 'shop' is of type {type_}, ")


def test_the_bounds_of_a_small_type_may_lie_beyond_it():
    mapping = {"shop": {"mappings": {"properties": {"n": {"type": "byte"}}}}}
    assert sent(Range("n", lt=1000), mapping) == Range("n", lt=1000)
