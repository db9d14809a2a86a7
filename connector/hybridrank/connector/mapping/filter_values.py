"""Values of filters, converted to the types of fields, so that filters work the same on every engine. Pure.

A value is compared by the field's type in the mapping: `Term("sku", 7)` matches the term 7 in a keyword field and
`Term("price", "7")` the number 7 in a numeric one. A value that a field of that type cannot hold, and so cannot match,
is refused by name: an engine would return no hits and no error. docs/connector.md has the table.
"""

import json
import re
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, TypeAlias

from hybridrank.common.errors import HybridrankError
from hybridrank.common.field_paths import field_values
from hybridrank.connector.mapping.field_types import FLAT_TYPES, FieldType

__all__ = [
    "FilterTypes",
    "Scalar",
    "Unfit",
    "as_number",
    "as_word",
    "bound_of",
    "cut_short",
    "indexed",
    "is_indexed",
    "types_of",
    "value_of",
]

Scalar: TypeAlias = str | int | float | bool

FilterTypes = Mapping[str, Mapping[FieldType, str]]
"""Path → each type of the field in the indices of a search → the first index with that type."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_EXACT = {"half_float": 2**11, "float": 2**24}
_EXACT_DOUBLE = 2**53  # every whole number below has its own double
_HELD = {name: (-(2**bits), 2**bits - 1) for name, bits in {"byte": 7, "short": 15, "integer": 31, "long": 63}.items()}
_HELD |= {"unsigned_long": (0, 2**64 - 1), "token_count": _HELD["integer"]}


class Unfit(HybridrankError, ValueError):
    """A filter that cannot work in this index; the message names the field, its type and a solution."""


def types_of(name: str, types: FilterTypes) -> Mapping[FieldType, str]:
    """Returns the types of a field, or of a key of a flat object; empty if there is none."""
    if name in types:
        return types[name]
    parents = (name[:place] for place, letter in enumerate(name) if letter == ".")
    flat = next((types[each] for each in parents if any(type_.name in FLAT_TYPES for type_ in types.get(each, ()))), {})
    return {FieldType("flat key", type_.ignore_above): concrete for type_, concrete in flat.items()}


def value_of(value: Scalar, type_: FieldType, where: str) -> Scalar:
    """Returns a value as a field of the type holds it. Raises Unfit for one that it cannot hold.

    >>> value_of("5.50", FieldType("double"), "field 'price'")
    5.5
    """
    match type_.kind:
        case "keyword":
            word = as_word(value)
            if not is_indexed(word, type_):
                raise Unfit(f"{where} holds values of up to {type_.ignore_above} characters; a longer one is not found")
            return word
        case "boolean":
            if value in ("true", "false") or isinstance(value, bool):
                return value in (True, "true")
            raise Unfit(f"{where} is of type boolean: true or false, not {_shown(value)}")
        case "whole" | "number":
            number = _number(value, type_, where, type_.name)
            exact = _EXACT.get(type_.name, _EXACT_DOUBLE)
            if type_.kind == "number" and isinstance(number, int) and abs(number) >= exact:
                raise Unfit(
                    f"{where} is of type {type_.name}, which does not tell whole numbers from {exact} on from their"
                    " neighbours; write them as strings into a keyword field too, and filter by that"
                )
            return number
    if isinstance(value, bool):
        raise Unfit(f"{where} is of type {type_.name}, not boolean")
    return value


def bound_of(bound: float | str, type_: FieldType, where: str) -> float | str:
    """Returns a bound as a field of the type compares it. Raises Unfit for a bound or a type without an order."""
    if type_.name == "flat key":
        raise Unfit(
            f"{where} has no range: an object that is kept flat holds every value as a word; an index made with"
            " --objects fields has numbers"
        )
    if type_.kind in ("whole", "number"):
        return _number(bound, type_, where, "integer" if type_.name in ("byte", "short") else type_.name)
    if type_.kind == "boolean" or type_.name == "_id":
        raise Unfit(f"{where} is of type {type_.name}, which has no order and so no Range; give Term or Terms")
    if type_.kind == "keyword" and not isinstance(bound, str):
        raise Unfit(
            f"{where} is of type {type_.name}: words, among which 10 comes before 9, so {_shown(bound)} is no bound;"
            " index numbers as numbers, or give a word"
        )
    return bound


def _number(value: Scalar, type_: FieldType, where: str, held_as: str) -> float:
    number = as_number(value)
    if number is None:
        raise Unfit(f"{where} is of type {type_.name}, a number, and {_shown(value)} is none")
    if type_.kind == "whole" and isinstance(number, float):
        raise Unfit(
            f"{where} is of type {type_.name}, which cut off fractions when documents were indexed:"
            f" {_shown(value)} says nothing there; give a whole number, or index into a field of type double"
        )
    least, most = _HELD.get(held_as, (number, number))
    if not least <= number <= most:
        raise Unfit(f"{where} is of type {type_.name}, which holds {least} to {most}; {_shown(value)} is beyond")
    return number


def indexed(values: Iterable[Any], type_: FieldType) -> list[Any]:
    """Returns the values as an index of that type compares them, without those that it does not index.

    >>> indexed(["5.50", 7, "five"], FieldType("double"))
    [5.5, 7.0]
    """
    match type_.kind:
        case "number":
            return [float(number) for value in values if (number := as_number(value)) is not None]
        case "boolean":
            return [value in (True, "true") for value in values if isinstance(value, (bool, str)) and value != ""]
        case _:
            words = (as_word(value) for value in values if isinstance(value, (str, int, float)))
            return [word for word in words if is_indexed(word, type_)]


def cut_short(types: FilterTypes, source: Mapping[str, Any]) -> str:
    """Returns a sentence on the number of a document that would lose its fraction in the index; empty if none would."""
    for path, by_type in types.items():
        if any(type_.kind == "whole" and type_.name != "token_count" for type_ in by_type):
            for value in field_values(source, path):
                if isinstance(as_number(value), float):
                    name = next(iter(by_type)).name
                    return (
                        f"field {path!r} is of type {name} in this index, which would cut {_shown(value)} to a whole"
                        " number; index into a new name, where numbers are doubles"
                    )
    return ""


def as_number(value: object) -> float | None:
    """Returns the finite number that a value is or spells, whole ones as int; None for other values.

    >>> as_number("007"), as_number("5.50"), as_number(5.0), as_number("5 apples"), as_number(True)
    (7, 5.5, 5, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value) or len(value) > 400:
            return None
        value = int(value) if re.fullmatch(r"[+-]?\d{1,30}", value) else float(value)
    if isinstance(value, float) and not isfinite(value):
        return None
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_word(value: Scalar) -> str:
    """Returns the term of a value in a keyword field, written as in JSON.

    >>> as_word("007"), as_word(7), as_word(7.0), as_word(True)
    ('007', '7', '7.0', 'true')
    """
    return value if isinstance(value, str) else json.dumps(value)


def is_indexed(word: str, type_: FieldType) -> bool:
    """Returns True if a keyword field indexes a term of this length; longer ones are only stored."""
    limit = type_.ignore_above
    return not limit or (len(word) <= limit and len(word.encode("utf-16-le")) // 2 <= limit)


def _shown(value: Scalar) -> str:
    return repr(value) if len(repr(value)) <= 40 else f"{repr(value)[:40]}…"
