"""Query that matches only the given documents."""

from collections.abc import Sequence
from typing import Any

from hybridrank.connector.types import DocumentKey

__all__ = ["among", "body"]


def among(keys: Sequence[DocumentKey]) -> dict[str, Any]:
    """Returns a filter clause by index and id, because `ids` alone matches in every index of an alias.

    Unlike `_mget` it finds documents through an alias of several indices, and documents with a `_routing`.
    """
    by_index: dict[str, list[str]] = {}
    for index, doc_id in keys:
        by_index.setdefault(index, []).append(doc_id)
    each = [
        {"bool": {"filter": [{"term": {"_index": index}}, {"ids": {"values": doc_ids}}]}}
        for index, doc_ids in by_index.items()
    ]
    if len(each) == 1:
        return each[0]
    return {"bool": {"should": each, "minimum_should_match": 1}} if each else {"match_none": {}}


def body(keys: Sequence[DocumentKey], **more: Any) -> dict[str, Any]:
    """Returns a search for these documents alone."""
    return {"query": among(keys), "size": len(keys), "track_total_hits": False, **more}
