"""Checks a query against an index's mapping: an engine answers a misspelt field with no hits and no word of why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector.types import Bm25Query, Filter, Not, Query
from ltr_features import FeatureQuery, FeatureSet

__all__ = ["Fields", "absent", "feature_problem", "problem", "read"]


@dataclass(frozen=True, slots=True)
class Fields:
    """What an index holds: field path → type, and the length of the vectors of those that hold vectors."""

    types: dict[str, str] = field(default_factory=dict)
    dimensions: dict[str, int] = field(default_factory=dict)


def read(mappings: Mapping[str, Any]) -> Fields:
    """The fields of all indices of a `_mapping` response (an alias may stand for several)."""
    found = Fields()
    for each in mappings.values():
        _collect(each["mappings"].get("properties", {}), "", found)
    return found


def problem(index: str, fields: Fields, query: Query) -> str:
    """The sentence that says which field of the query does not fit the index; empty when all do."""
    wanted = [*query.fields] if isinstance(query, Bm25Query) else [query.field]
    wanted += [_filtered_field(each) for each in query.filters]
    missing = absent(index, fields, wanted)
    if missing or isinstance(query, Bm25Query):
        return missing
    return _wrong_length(index, fields, query.field, len(query.vector))


def absent(index: str, fields: Fields, names: Sequence[str]) -> str:
    """The sentence that says which of the fields the index lacks; empty when it has all."""
    return next(filter(None, (_missing(index, fields, name) for name in names)), "")


def feature_problem(index: str, fields: Fields, feature_set: FeatureSet, query: FeatureQuery) -> str:
    """The sentence that says which feature does not fit the index; empty when all do."""
    for feature in feature_set.features:
        names = (*getattr(feature, "fields", ()), *filter(None, [getattr(feature, "field", None)]))
        found = [_missing(index, fields, name) for name in names]
        if feature.kind == "vector_similarity" and query.vector is not None:
            found.append(_wrong_length(index, fields, feature.field, len(query.vector)))
        if any(found):
            return f"feature {feature.name!r}: {next(filter(None, found))}"
    return ""


def _missing(index: str, fields: Fields, name: str) -> str:
    parents = (name[:place] for place, letter in enumerate(name) if letter == ".")
    if nested := next((parent for parent in parents if fields.types.get(parent) == "nested"), ""):
        return (
            f"field {name!r} of index {index!r} lies in the nested field {nested!r}, where a query matches nothing;"
            " include_in_root in its mapping puts a copy where queries look"
        )
    if name in fields.types or "*" in name or name.startswith("_"):
        return ""
    known = ", ".join(sorted(fields.types)) or "none"
    return f"index {index!r} has no field {name!r}; its fields: {known}"


def _wrong_length(index: str, fields: Fields, name: str, length: int) -> str:
    dimensions = fields.dimensions.get(name, length)
    if dimensions == length:
        return ""
    return (
        f"field {name!r} of index {index!r} holds vectors of {dimensions} dimensions,"
        f" the query vector has {length}; was the index made with another encoder?"
    )


def _collect(properties: Mapping[str, Any], prefix: str, found: Fields) -> None:
    for name, definition in properties.items():
        path = f"{prefix}{name}"
        found.types[path] = "object" if definition.get("include_in_root") else definition.get("type", "object")
        dimensions = definition.get("dimension") or definition.get("dims")
        if dimensions:
            found.dimensions[path] = int(dimensions)
        for nested in ("properties", "fields"):
            _collect(definition.get(nested, {}), f"{path}.", found)


def _filtered_field(each: Filter) -> str:
    return _filtered_field(each.filter) if isinstance(each, Not) else each.field
