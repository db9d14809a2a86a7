"""The last step of a search: from the final ranking to the page that is shown. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, Literal, TypeAlias

from connector.engines.fields import Fields, unknown
from connector.passages import field_values
from connector.types import DocumentKey, Hit

__all__ = ["Direction", "arranged", "collapsed", "dressed", "sorted_by", "without_values"]

Direction: TypeAlias = Literal["asc", "desc"]


def collapsed(hits: Sequence[Hit], field: str | None) -> tuple[Hit, ...]:
    """The best hit of each value of the field, ranked anew; a hit without the field stands for itself."""
    if field is None:
        return tuple(hits)
    seen: set[str] = set()
    kept: list[Hit] = []
    for hit in hits:
        values = field_values(hit.source, field)
        key = repr(values)
        if not values or key not in seen:
            kept.append(replace(hit, rank=len(kept) + 1))
            seen.add(key)
    return tuple(kept)


def sorted_by(hits: Sequence[Hit], order: Mapping[str, Direction]) -> tuple[Hit, ...]:
    """The hits by the values of these fields, the first first, ranked anew; as they stood where values are equal.

    Of several values the smallest counts, descending the largest, as in the engines. Numbers are below words, and a
    hit without a value comes last either way.
    """
    found = list(hits)
    for field, direction in reversed([*order.items()]):
        descending = direction == "desc"
        keyed = [(_values(hit.source, field), hit) for hit in found]
        known = [((max if descending else min)(values), hit) for values, hit in keyed if values]
        known.sort(key=itemgetter(0), reverse=descending)
        found = [hit for _, hit in known] + [hit for values, hit in keyed if not values]
    return tuple(replace(hit, rank=rank) for rank, hit in enumerate(found, start=1)) if order else tuple(hits)


def arranged(
    hits: Sequence[Hit], collapse: str | None, order: Mapping[str, Direction], fields: Fields
) -> tuple[Hit, ...]:
    """The hits collapsed, then sorted; a subfield (`title.keyword`) is read from the field that documents hold."""
    paths = {fields.made_of.get(name, name): direction for name, direction in order.items()}
    return sorted_by(collapsed(hits, collapse and fields.made_of.get(collapse, collapse)), paths)


def without_values(index: str, fields: Fields, hits: Sequence[Hit], names: Sequence[str]) -> list[tuple[str, str]]:
    """Reason and sentence for each field in which no hit at all has a value: a wrong name, or nothing but gaps."""
    return [
        ("bad_field", sentence)
        if (sentence := unknown(index, fields, name))
        else ("no_values", f"no hit has a value in the field {name!r}")
        for name in names
        if hits and not any(field_values(hit.source, fields.made_of.get(name, name)) for hit in hits)
    ]


def dressed(hits: Sequence[Hit], parts: Mapping[str, Mapping[DocumentKey, Any]]) -> tuple[Hit, ...]:
    """The hits with their "source" and "highlight" by key; what a part does not know of a hit stays as it is."""
    sources, fragments = parts.get("source", {}), parts.get("highlight", {})
    return tuple(
        replace(
            hit,
            source=sources.get(hit.key, hit.source),
            highlights=fragments.get(hit.key, hit.highlights),
        )
        for hit in hits
    )


def _values(source: Mapping[str, Any], field: str) -> list[tuple[bool, Any]]:
    """The values of a field that have an order, each with whether it is a word."""
    return [
        (isinstance(value, str), value)
        for value in field_values(source, field)
        if isinstance(value, (bool, int, float, str))
    ]
