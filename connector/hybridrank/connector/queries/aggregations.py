"""Fields of aggregations, to check them: engines return empty buckets and no error for a misspelt one. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["aggregated_fields"]

_QUERIES = ("filter", "filters", "adjacency_matrix", "script", "meta", "params", "runtime_mappings")
"""Keys below which `field` is not the field of an aggregation."""


def aggregated_fields(aggregations: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns the fields of all aggregations, including nested ones, each once, in order.

    >>> aggregated_fields({"kinds": {"terms": {"field": "kind"}, "aggs": {"dearest": {"max": {"field": "price"}}}}})
    ['kind', 'price']
    """
    return list(dict.fromkeys(name for each in aggregations.values() for name in _fields(each)))


def _fields(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for each in node:
            yield from _fields(each)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if key in ("aggs", "aggregations") and isinstance(value, Mapping):
                yield from aggregated_fields(value)  # whose names are the caller's
            elif key == "field" and isinstance(value, str):
                yield value
            elif key not in _QUERIES:
                yield from _fields(value)
