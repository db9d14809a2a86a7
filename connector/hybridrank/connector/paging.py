"""The last step of a search: from the final ranking to the page that is shown. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, Literal, TypeAlias

from hybridrank.connector.engines.mapping.field_types import Kind
from hybridrank.connector.engines.mapping.fields import Fields, unknown
from hybridrank.connector.engines.mapping.filter_fitting import as_number, as_word
from hybridrank.connector.passages import field_values
from hybridrank.connector.types import DocumentKey, Hit

__all__ = ["Direction", "arranged", "collapsed", "dressed", "sorted_by", "without_values"]

Direction: TypeAlias = Literal["asc", "desc"]


def collapsed(hits: Sequence[Hit], field: str | None, kind: Kind = "other") -> tuple[Hit, ...]:
    """The best hit of each value of the field, as its kind holds it, ranked anew; one without stands for itself."""
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
    """The hits by the values of these fields, the first first, ranked anew; as they stood where values are equal.

    `kinds` tell how fields hold values: "5" is a number in a field of numbers, and 5 a word among keywords. Of several
    values the smallest counts, descending the largest, as in the engines. Numbers are below words, and a hit without a
    value comes last either way.
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
    """The hits collapsed, then sorted; a subfield (`title.keyword`) is read from the field that documents hold."""
    paths = {fields.made_of.get(name, name): direction for name, direction in order.items()}
    kinds = {
        fields.made_of.get(name, name): _kind(fields, name) for name in [*order, *([collapse] if collapse else [])]
    }
    path = collapse and fields.made_of.get(collapse, collapse)
    return sorted_by(collapsed(hits, path, kinds.get(path or "", "other")), paths, kinds)


def without_values(index: str, fields: Fields, hits: Sequence[Hit], names: Sequence[str]) -> list[tuple[str, str]]:
    """Reason and sentence for each field in which no hit at all has a value: a wrong name, or nothing but gaps."""
    faults = []
    for name in names:
        if any(field_values(hit.source, fields.made_of.get(name, name)) for hit in hits):
            continue
        if sentence := unknown(index, fields, name):
            faults.append(("bad_field", sentence))
        elif hits:
            faults.append(("no_values", f"no hit has a value in the field {name!r}"))
    return faults


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


def _values(source: Mapping[str, Any], field: str, kind: Kind) -> list[tuple[bool, Any]]:
    """The values of a field that have an order, each with whether it is a word."""
    return [
        (isinstance(value, str), value)
        for value in _held(field_values(source, field), kind)
        if isinstance(value, (bool, int, float, str))
    ]


def _kind(fields: Fields, name: str) -> Kind:
    """How a field holds values; "other", as they are, where several indices differ."""
    kinds = {type_.kind for type_ in fields.filtered.get(name, ())}
    return kinds.pop() if len(kinds) == 1 else "other"


def _held(values: Sequence[Any], kind: Kind) -> list[Any]:
    """The values as a field of this kind holds them."""
    if kind in ("whole", "number"):
        return [number for value in values if (number := as_number(value)) is not None]
    return [as_word(value) if kind == "keyword" and isinstance(value, (int, float)) else value for value in values]
