"""Passages of long documents: queries inside a nested field, with the best passage on each hit."""

from collections.abc import Mapping
from typing import Any

from hybridrank.connector.types import FoundPassage

__all__ = ["best", "found"]

_PREFERRED = "knn"  # if several retrievers found one in one search, the nearest by meaning


def best(path: str, query: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """Builds a query for documents with a matching passage in `path`, scored by the best one, returned as `name`."""
    inner_hits = {"name": name, "size": 1, "_source": [f"{path}.text"]}
    # Ignored if unmapped: an alias may include indices without passages, whose shards would otherwise fail.
    how = {"score_mode": "max", "ignore_unmapped": True, "inner_hits": inner_hits}
    return {"nested": {"path": path, "query": query, **how}}


def found(hit: Mapping[str, Any]) -> FoundPassage | None:
    """Returns the best passage of a hit; None if no passage matched, or none was requested."""
    inner = hit.get("inner_hits")
    if not inner:
        return None
    hits = (each for name in sorted(inner, key=_PREFERRED.__ne__) for each in inner[name]["hits"]["hits"])
    first = next(hits, None)
    return first and FoundPassage(first["_nested"]["offset"], str(first.get("_source", {}).get("text", "")))
