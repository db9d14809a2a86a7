"""Filters over documents held in memory: which of them pass."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from connector.types import Filter, Not, Range, Term, Terms

__all__ = ["passing", "values_at"]

Mask: TypeAlias = NDArray[np.bool_]


def passing(filters: Sequence[Filter], sources: Sequence[Mapping[str, Any]]) -> Mask:
    """Shape (n,): True where every filter holds for the document."""
    if not filters:
        return np.ones(len(sources), dtype=np.bool_)
    return np.fromiter((all(_holds(each, source) for each in filters) for source in sources), dtype=np.bool_)


def _holds(each: Filter, source: Mapping[str, Any]) -> bool:
    match each:
        case Term(field, value):
            return value in values_at(source, field)
        case Terms(field, wanted):
            return any(value in wanted for value in values_at(source, field))
        case Range():
            return any(_within(each, value) for value in values_at(source, each.field))
        case Not(inner):
            return not _holds(inner, source)


def values_at(source: Mapping[str, Any], field: str) -> list[Any]:
    """The values of a field of a document; `a.b` is field b of the object in field a."""
    value: Any = source
    for name in field.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _within(bounds: Range, value: Any) -> bool:
    try:
        return (
            (bounds.gte is None or value >= bounds.gte)
            and (bounds.lte is None or value <= bounds.lte)
            and (bounds.gt is None or value > bounds.gt)
            and (bounds.lt is None or value < bounds.lt)
        )
    except TypeError:  # a word against a number: no document of that type lies within
        return False
