"""Looks up a field of a document by its dotted path, through objects and lists."""

from collections.abc import Mapping
from typing import Any

__all__ = ["field_values"]


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
