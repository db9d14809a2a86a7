"""Arrangement of the final ranking: collapsed, sorted, and with what its page shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, Literal, TypeAlias

from hybridrank.common.field_paths import field_values
from hybridrank.connector.faults import Reason
from hybridrank.connector.mapping.field_types import Kind
from hybridrank.connector.mapping.fields import Fields, unknown
from hybridrank.connector.mapping.filter_values import as_number, as_word
from hybridrank.connector.types import DocumentKey, Hit

__all__ = ["Direction", "arranged", "collapsed", "sorted_by", "with_page_fields", "without_values"]

Direction: TypeAlias = Literal["asc", "desc"]


def collapsed(hits: Sequence[Hit], field: str | None, kind: Kind = "other") -> tuple[Hit, ...]:
    """Keeps the best hit of each value, compared by kind, and ranks again; hits without a value stay."""
    if field is None:
        return tuple(hits)
    seen: set[str] = set()
    kept: list[Hit] = []
    for hit in hits:
        values = _held(field_values(hit.source, field), kind)
        key = repr(values)
        if not values or key not in seen:
            kept.append(replace(hit, rank=len(kept) + 1))
            seen.add(key)
    return tuple(kept)


def sorted_by(
    hits: Sequence[Hit], order: Mapping[str, Direction], kinds: Mapping[str, Kind] | None = None
) -> tuple[Hit, ...]:
    """Sorts the hits by the values of these fields, the first field first, and ranks again; ties keep their order.

    `kinds` are the kinds of the fields: "5" is a number in a numeric field, and 5 a term in a keyword field. The
    smallest of several values counts, in descending order the largest, as in the engines. Numbers come before words,
    and a hit without a value comes last in both orders.
    """
    found = list(hits)
    for field, direction in reversed([*order.items()]):
        descending = direction == "desc"
        keyed = [(_values(hit.source, field, (kinds or {}).get(field, "other")), hit) for hit in found]
        known = [((max if descending else min)(values), hit) for values, hit in keyed if values]
        known.sort(key=itemgetter(0), reverse=descending)
        found = [hit for _, hit in known] + [hit for values, hit in keyed if not values]
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(found, start=1)) if order else tuple(hits)


def arranged(
    hits: Sequence[Hit], collapse: str | None, order: Mapping[str, Direction], fields: Fields
) -> tuple[Hit, ...]:
    """Returns the hits collapsed, then sorted; a subfield (`title.keyword`) is read from its stored parent field."""
    paths = {fields.made_of.get(name, name): direction for name, direction in order.items()}
    kinds = {
        fields.made_of.get(name, name): _kind(fields, name) for name in [*order, *([collapse] if collapse else [])]
    }
    path = collapse and fields.made_of.get(collapse, collapse)
    return sorted_by(collapsed(hits, path, kinds.get(path or "", "other")), paths, kinds)


def without_values(index: str, fields: Fields, hits: Sequence[Hit], names: Sequence[str]) -> list[tuple[Reason, str]]:
    """Returns reason and sentence for each field without a value in any hit: a wrong name, or only gaps."""
    faults = []
    for name in names:
        if any(field_values(hit.source, fields.made_of.get(name, name)) for hit in hits):
            continue
        if sentence := unknown(index, fields, name):
            faults.append((Reason.BAD_FIELD, sentence))
        elif hits:
            faults.append((Reason.NO_VALUES, f"no hit has a value in the field {name!r}"))
    return faults


def with_page_fields(hits: Sequence[Hit], parts: Mapping[str, Mapping[DocumentKey, Any]]) -> tuple[Hit, ...]:
    """Returns the hits with their "source" and "highlight" by key; hits without an entry in a part do not change."""
    sources, fragments = parts.get("source", {}), parts.get("highlight", {})
    return tuple(
        replace(
            hit,
            source=sources.get(hit.key, hit.source),
            highlights=fragments.get(hit.key, hit.highlights),
        )
        for hit in hits
    )


def _values(source: Mapping[str, Any], field: str, kind: Kind) -> list[tuple[bool, Any]]:
    """Returns the values of a field that have an order, each with a flag for words."""
    return [
        (isinstance(value, str), value)
        for value in _held(field_values(source, field), kind)
        if isinstance(value, (bool, int, float, str))
    ]


def _kind(fields: Fields, name: str) -> Kind:
    """Returns the kind of a field; "other", unchanged, if several indices differ."""
    kinds = {type_.kind for type_ in fields.filtered.get(name, ())}
    return kinds.pop() if len(kinds) == 1 else "other"


def _held(values: Sequence[Any], kind: Kind) -> list[Any]:
    """Returns the values as a field of this kind holds them."""
    if kind in ("whole", "number"):
        return [number for value in values if (number := as_number(value)) is not None]
    return [as_word(value) if kind == "keyword" and isinstance(value, (int, float)) else value for value in values]
