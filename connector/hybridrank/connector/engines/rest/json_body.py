"""Decodes the body of an engine's answer, from bytes to values. Pure."""

import json
import re
from typing import Any

from hybridrank.common.json_values import with_replacements

__all__ = ["parsed", "text_of"]

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")  # few answers have one, and only those are walked


def text_of(raw: bytes) -> str:
    """Decodes a body; bytes that are not UTF-8 become U+FFFD."""
    return raw.decode(errors="replace")


def parsed(text: str) -> Any:
    """Returns the value of a JSON body. Raises ValueError for other text, and for JSON that is nested too deep.

    Servers return documents as they were written: half of a surrogate pair, which servers accept but no text can hold,
    becomes U+FFFD, and NaN and the infinities, which JSON does not have, become null.

    >>> parsed('{"_score": NaN, "title": "tea \\\\ud83d"}')
    {'_score': None, 'title': 'tea �'}
    """
    try:
        value = json.loads(text, parse_constant=lambda _: None)
        return _with_replacements(value) if _SURROGATE.search(text) else value
    except RecursionError:
        raise ValueError("nested too deep") from None


def _with_replacements(value: Any) -> Any:
    if isinstance(value, str):
        return with_replacements(value)
    if isinstance(value, list):
        return [_with_replacements(each) for each in value]
    if isinstance(value, dict):
        return {with_replacements(name): _with_replacements(each) for name, each in value.items()}
    return value
