"""Number of documents that a search matches. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["TotalHits", "total_hits"]


@dataclass(frozen=True, slots=True)
class TotalHits:
    """`value` documents match, with the relation "eq"; with "gte" at least as many."""

    value: int
    relation: Literal["eq", "gte"] = "eq"


def total_hits(response: Mapping[str, Any], *, whole: bool = True) -> TotalHits | None:
    """Returns the count of one response of an engine; None if it did not count.

    A response with missing shards, which is not `whole`, gives a lower bound.

    >>> total_hits({"hits": {"total": {"value": 12, "relation": "eq"}, "hits": []}})
    TotalHits(value=12, relation='eq')
    """
    counted = response["hits"].get("total")
    value = counted.get("value") if isinstance(counted, Mapping) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return TotalHits(value, "eq" if whole and counted.get("relation") == "eq" else "gte")
