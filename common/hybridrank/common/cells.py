"""Strict parsing of text file cells: numbers and ids. Each function raises ValueError with the expected form.

Python's own `int` and `float` also accept `1_000`, digits of other scripts, `nan` and `1e400`.
"""

import math
import re
from typing import Any

__all__ = ["identifier", "number", "whole_number", "words"]

_WHOLE = re.compile(r"([+-]?[0-9]{1,15})(\.0{1,15})?")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_BLANKS = re.compile(r"[ \t\v\f\r]+")


def whole_number(text: str) -> int:
    """Parses a whole number; accepts 2.0 because spreadsheets and pandas write 2 that way.

    >>> whole_number("2"), whole_number("2.0"), whole_number(" -1 ")
    (2, 2, -1)
    """
    if not (found := _WHOLE.fullmatch(text.strip())):
        raise ValueError(f"{text[:40]!r} is not a whole number")
    return int(found[1])


def number(text: str) -> float:
    """Parses a finite number with a decimal point, as in 0.5 or 1e-3."""
    value = float(text) if _NUMBER.fullmatch(text.strip()) else math.nan
    if not math.isfinite(value):
        raise ValueError(f"{text[:40]!r} is not a finite number")
    return value


def identifier(value: Any, name: str) -> str:
    """Returns a document or query id; a whole number becomes its digits. `name` is the name of the field.

    >>> identifier(7, "_id")
    '7'
    """
    if type(value) is int:
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"expected a string as {name}")
    if value != value.strip():
        raise ValueError(f"the {name} begins or ends with white space, which judgments and runs cannot hold; remove it")
    return value


def words(line: str) -> list[str]:
    """Splits a line at spaces and tabs. `str.split` would also split ids at other kinds of whitespace."""
    return [each for each in _BLANKS.split(line) if each]
