"""Reads a stored document: values of fields, and the model text, the same for vectors and reranking."""

from collections.abc import Mapping, Sequence
from typing import Any

from hybridrank.index_templates import DEFAULT_BOOSTS

__all__ = ["DEFAULT_FIELDS", "field_values", "passage_text"]

DEFAULT_FIELDS = tuple(DEFAULT_BOOSTS)


def passage_text(source: Mapping[str, Any], fields: Sequence[str] = DEFAULT_FIELDS) -> str:
    """Joins the values of `fields`, in order, one line each; a missing field is left out.

    >>> passage_text({"title": "Tea", "text": "Leaves in hot water."})
    'Tea\\nLeaves in hot water.'
    >>> passage_text({"book": {"title": "Tea", "by": [{"id": "Ann"}, {"id": "Bo"}]}}, ["book.title", "book.by.id"])
    'Tea\\nAnn Bo'
    """
    lines = (" ".join(str(value) for value in field_values(source, field) if value) for field in fields)
    return "\n".join(filter(None, lines))


def field_values(source: Any, field: str) -> list[Any]:
    """Returns the values of a field, if any; `a.b` is field b of the object, or of each object of the list, in a.

    As in engines, a name with a dot is a path, and nested lists are one list.

    >>> field_values({"a": [{"b": [1, [2]]}, {"b": None}], "a.b": 3}, "a.b")
    [1, 2, 3]
    """
    if isinstance(source, (list, tuple)):
        return [value for each in source for value in field_values(each, field)]
    if not field:
        return [] if source is None else [source]
    if not isinstance(source, Mapping):
        return []
    found: list[Any] = []
    for name, value in source.items():
        if name == field:
            found += field_values(value, "")
        elif field.startswith(f"{name}."):
            found += field_values(value, field[len(name) + 1 :])
    return found
