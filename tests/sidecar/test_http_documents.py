"""The text of documents that come as objects."""

import pytest

from hybridrank.sidecar.transport.http.documents import document_text


@pytest.mark.parametrize(
    ("document", "fields", "text"),
    [
        ({"title": "Tea", "body": None}, ["title", "body"], "Tea"),
        ({"tags": ["café", "thé"]}, ["tags"], "café thé"),
        ({"tags": [None, "thé", ["vert"]]}, ["tags"], "thé vert"),
        ({"year": 1999, "hot": True, "none": None}, ["year", "hot", "none"], "1999\ntrue"),
        ({"author": {"name": "Ann"}}, ["author.name"], "Ann"),
        ({"authors": [{"name": "Ann"}, {"age": 4}, {"name": "Bo"}]}, ["authors.name"], "Ann Bo"),
        ({"author": {"name": "Ann", "age": 4, "city": None}}, ["author"], "Ann 4"),
        ({"a.b": "dotted", "a": {"b": "nested"}}, ["a.b"], "dotted"),
        ({"text": ""}, ["text"], ""),
        ({"text": "null"}, ["text"], "null"),
        ({"text": None}, ["text"], None),
        ({"tags": [], "more": {}, "nulls": [None]}, ["tags", "more", "nulls"], None),
        ({"title": "Tea"}, ["text"], None),
    ],
)
def test_text_is_the_values_of_the_fields(document, fields, text):
    assert document_text(document, fields) == text
