"""JSON values that every engine, database and protocol can hold: finite numbers, 64-bit whole numbers, Unicode text.

Python also reads and writes other values: `NaN`, `1e400`, whole numbers of any size, and halves of surrogate pairs such
as `"\\ud83d"`, which no UTF-8 text can hold. OpenSearch and Elasticsearch refuse each of them.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

__all__ = ["MAX_DEPTH", "parse", "problem", "text_problem", "with_replacements"]

MAX_DEPTH = 100
"""Maximum levels of objects and arrays. SQLite stops at 1000, and the engines map 20 levels by default."""

_LEAST, _BEYOND = -(1 << 63), 1 << 64
_MAX_DIGITS = 20  # digits of a 64-bit whole number; converting more digits takes quadratic time


def parse(text: str) -> Any:
    """Parses a JSON text. Raises ValueError with the reason and the path of the field.

    >>> parse('{"title": "Tea", "price": 3.5}')
    {'title': 'Tea', 'price': 3.5}
    >>> parse('{"prices": [{"eur": 1e400}]}')
    Traceback (most recent call last):
    ValueError: prices[0].eur is not a finite number
    """
    try:
        value = json.loads(text, parse_int=_whole, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
    except RecursionError:
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep") from None
    if found := problem(value):
        raise ValueError(found)
    return value


def problem(value: object) -> str:
    """Returns the reason why some engine cannot hold a value, with the path of the field; empty if all can.

    Types that JSON does not have are not checked; the code that writes them must handle them.

    >>> problem({"tags": ["hot", float("nan")]})
    'tags[1] is not a finite number'
    """
    found = _problem(value, 0)
    return "" if found is None else f"{found[0].lstrip('.') or 'the value'} {found[1]}"


def text_problem(text: str) -> str:
    """Returns the reason why a text cannot be written as UTF-8; empty if it can."""
    if text.isascii():
        return ""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "has half of a surrogate pair, which no UTF-8 text can hold"
    return ""


def with_replacements(text: str) -> str:
    """Replaces each half of a surrogate pair with U+FFFD, for texts that can no longer be refused.

    >>> with_replacements("tea \\ud83d")
    'tea �'
    """
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if text_problem(text) else text


def _problem(value: object, depth: int) -> tuple[str, str] | None:
    """Returns the path and the reason."""
    if isinstance(value, Mapping):
        names = [f".{each}" for each in value]
        if reason := next(filter(None, map(text_problem, names)), ""):
            return "", f"has a field whose name {reason}"
        return _first(names, value.values(), depth)
    if isinstance(value, (list, tuple)):
        return _first((f"[{place}]" for place in range(len(value))), value, depth)
    reason = _scalar_problem(value)
    return ("", reason) if reason else None


def _scalar_problem(value: object) -> str:
    if isinstance(value, str):
        return text_problem(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "is not a finite number"
    if isinstance(value, int) and not _LEAST <= value < _BEYOND:
        return "is a whole number beyond 64 bits"
    return ""


def _first(names: Any, values: Any, depth: int) -> tuple[str, str] | None:
    if depth >= MAX_DEPTH:
        return "", f"is nested more than {MAX_DEPTH} levels deep"
    for name, value in zip(names, values, strict=True):
        if found := _problem(value, depth + 1):
            return name + found[0], found[1]
    return None


def _whole(digits: str) -> int:
    return int(digits) if len(digits) <= _MAX_DIGITS else _BEYOND


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"an object has the field {twice!r} twice")
    return found
