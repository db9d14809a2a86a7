"""Passages of long documents: asked for inside a nested field, of which a hit keeps the best one."""

from collections.abc import Mapping
from typing import Any

from hybridrank.connector.types import FoundPassage

__all__ = ["best", "found"]

_PREFERRED = ("knn", "bm25")  # where both found one in one search, the nearest by meaning


def best(path: str, query: Mapping[str, Any], *, name: str) -> dict[str, Any]:
    """The documents of which a passage in `path` matches, scored by the best, which comes along under `name`."""
    inner_hits = {"name": name, "size": 1, "_source": [f"{path}.text"]}
    # Ignored where it is unmapped: an alias may hold indices without passages, whose shards would fail otherwise.
    how = {"score_mode": "max", "ignore_unmapped": True, "inner_hits": inner_hits}
    return {"nested": {"path": path, "query": query, **how}}


def found(hit: Mapping[str, Any]) -> FoundPassage | None:
    """The best passage of a hit; None where no passage matched, or none was asked for."""
    inner = hit.get("inner_hits")
    if not inner:
        return None
    hits = (each for name in _PREFERRED if name in inner for each in inner[name]["hits"]["hits"])
    first = next(hits, None)
    return first and FoundPassage(first["_nested"]["offset"], str(first.get("_source", {}).get("text", "")))
