"""Types of fields for filters, read from the mapping of one index. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias

from hybridrank.index_templates import ID_FIELD
from hybridrank.index_templates.sparse import SPARSE

__all__ = ["FLAT_TYPES", "METADATA", "FieldType", "Kind", "collect", "known_fields"]

FLAT_TYPES = ("flat_object", "flattened")
"""Types of a field that holds a whole object, each of its values as a keyword."""

Kind: TypeAlias = Literal["keyword", "text", "whole", "number", "boolean", "date", "other", "none"]
"""The comparison of values. `other`: as the server compares, which checks them itself (an IP address, a version)."""

_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("keyword", "constant_keyword", "wildcard", "counted_keyword", "_id", "flat key"), "keyword"),
    **dict.fromkeys(("text", "match_only_text", "search_as_you_type", "annotated_text", "semantic_text"), "text"),
    **dict.fromkeys(("byte", "short", "integer", "long", "unsigned_long", "token_count"), "whole"),
    **dict.fromkeys(("half_float", "float", "double", "scaled_float"), "number"),
    **dict.fromkeys(("date", "date_nanos"), "date"),
    **dict.fromkeys(("ip", "version", "ip_range", "date_range", "long_range", "integer_range"), "other"),
    **dict.fromkeys(("double_range", "float_range"), "other"),
    "boolean": "boolean",
}


@dataclass(frozen=True, slots=True)
class FieldType:
    """One field of one index. `whole_values` is its subfield with unchanged values, if it has one.

    `ignore_above` is the maximum length of an indexed value, or one of that subfield, in UTF-16 units; 0 is no limit.
    """

    name: str
    ignore_above: int = 0
    whole_values: str = ""

    @property
    def kind(self) -> Kind:
        """The comparison of values; `none` if there are none to compare, as in an object or a vector."""
        return _KINDS.get(self.name, "none")

    @property
    def hint(self) -> str:
        """A way out for a filter by a field without values; empty if there is none."""
        return "; name one of its keys, as in FIELD.KEY" if self.name in ("object", "nested", *FLAT_TYPES) else ""


METADATA = {"_id": FieldType("_id"), "_index": FieldType("keyword"), "_routing": FieldType("keyword")}
"""Fields of every document on a server."""


_INTERNAL = {"content_digest", ID_FIELD, "token_vectors", "vector", "passages.vector", SPARSE}


def known_fields(name: str, known: Iterable[str]) -> str:
    """Returns a hint for a missing field: the fields that users defined, and one with a similar name.

    >>> known_fields("prise", ["_id", "kind", "price", "content_digest"])
    'its fields: kind, price; did you mean price?'
    """
    names = sorted(each for each in known if not each.startswith("_"))
    fields = ", ".join(each for each in names if each not in _INTERNAL) or "none"
    close = get_close_matches(name, names, 1, 0.7)
    return f"its fields: {fields}" + (f"; did you mean {close[0]}?" if close else "")


def collect(mapping: Mapping[str, Any]) -> dict[str, FieldType]:
    """Returns path → type for all fields and subfields of one index; an alias has the type of its field.

    A nested field whose values are copied to the root counts as an object.
    """
    found: dict[str, FieldType] = dict(METADATA)
    aliases: dict[str, str] = {}
    for section in ("properties", "runtime", "derived"):
        _collect(mapping.get(section) or {}, "", found, aliases)
    return found | {alias: found[path] for alias, path in aliases.items() if path in found}


def _collect(properties: Mapping[str, Any], prefix: str, found: dict[str, FieldType], aliases: dict[str, str]) -> None:
    for name, definition in properties.items():
        path = f"{prefix}{name}"
        if definition.get("type") == "alias":
            aliases[path] = str(definition.get("path", ""))
            continue
        subfields = definition.get("fields") or {}
        keywords = [each for each, inner in subfields.items() if inner.get("type") == "keyword"]
        keywords.sort(key=lambda each: "normalizer" in subfields[each])  # a normalizer changes values
        held = subfields[keywords[0]] if keywords else definition
        copied = definition.get("include_in_root") or definition.get("include_in_parent")
        found[path] = FieldType(
            "object" if copied else str(definition.get("type", "object")),
            int(held.get("ignore_above", 0)),
            f"{path}.{keywords[0]}" if keywords else "",
        )
        for inner in ("properties", "fields"):
            _collect(definition.get(inner) or {}, f"{path}.", found, aliases)
