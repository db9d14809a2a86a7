"""Checks a query against an index's mapping: an engine answers a misspelt field with no hits and no word of why."""

from collections.abc import Mapping
from typing import Any

from connector.types import Bm25Query, Filter, Not, Query

__all__ = ["problem", "types"]


def types(mappings: Mapping[str, Any]) -> dict[str, str]:
    """Field path → type over all indices of a `_mapping` response (an alias may stand for several)."""
    found: dict[str, str] = {}
    for each in mappings.values():
        _collect(each["mappings"].get("properties", {}), "", found)
    return found


def problem(index: str, field_types: Mapping[str, str], query: Query) -> str:
    """The sentence that says which field of the query the index lacks; empty when it has them all."""
    wanted = [*query.fields] if isinstance(query, Bm25Query) else [query.field]
    wanted += [_field(each) for each in query.filters]
    for field in wanted:
        if field not in field_types and "*" not in field and not field.startswith("_"):
            known = ", ".join(sorted(field_types)) or "none"
            return f"index {index!r} has no field {field!r}; its fields: {known}"
    return ""


def _collect(properties: Mapping[str, Any], prefix: str, found: dict[str, str]) -> None:
    for name, definition in properties.items():
        path = f"{prefix}{name}"
        found[path] = definition.get("type", "object")
        for nested in ("properties", "fields"):
            _collect(definition.get(nested, {}), f"{path}.", found)


def _field(each: Filter) -> str:
    return _field(each.filter) if isinstance(each, Not) else each.field
