"""The text of a document that is sent as an object."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hybridrank.common.field_paths import field_values

__all__ = ["document_text"]


def document_text(document: Mapping[str, Any], fields: Sequence[str]) -> str | None:
    """Returns the values of `fields`, in order, one per line; None for a document without any of them.

    A null, an empty list or an empty object counts as absent. Lists and objects become the words of their values, as
    OpenSearch and Elasticsearch search them; `a.b` is field b of the object, or objects, in a. Raises ValueError for a
    number that is not finite, which no document can hold.

    >>> document_text({"title": "Tea", "tags": ["green", "thé"], "body": None}, ["title", "body", "tags"])
    'Tea\\ngreen thé'
    >>> document_text({"author": {"name": "Ann"}}, ["author.name"])
    'Ann'
    """
    lines = [line for field in fields if (line := _words(_value(document, field))) is not None]
    return "\n".join(lines) if lines else None


def _value(document: Mapping[str, Any], field: str) -> Any:
    return document[field] if field in document else field_values(document, field)


def _words(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return _joined(value.values())
    return _joined(value) if isinstance(value, list) else json.dumps(value, allow_nan=False)


def _joined(values: Iterable[Any]) -> str | None:
    words = [each for value in values if (each := _words(value)) is not None]
    return " ".join(words) if words else None
