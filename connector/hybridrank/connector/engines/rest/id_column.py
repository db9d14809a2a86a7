"""Ids by column, for rankings that read no documents. Pure.

A server reads the `_id` of a hit from the stored document, which it must unpack, 200 times for two windows of a
hundred. Our templates also store the id in its own column, which halves the server's cost of a ranking.
"""

from collections.abc import Mapping
from typing import Any

from hybridrank.connector.types import DocumentKey
from hybridrank.index_templates import ID_FIELD

__all__ = ["by_column", "from_stored", "key", "lacks_ids"]

_BY_COLUMN = {"stored_fields": "_none_", "docvalue_fields": [ID_FIELD]}


def by_column(body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the search with each hit's id from the column alone."""
    return {**body, **_BY_COLUMN}


def from_stored(body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the same search with ids in the servers' default way."""
    return {name: value for name, value in body.items() if name not in _BY_COLUMN}


def key(hit: Mapping[str, Any]) -> DocumentKey:
    """Returns the key of a hit, in both ways of reading ids; the id is empty if it was written without the column."""
    found = [hit["_id"]] if "_id" in hit else hit.get("fields", {}).get(ID_FIELD)
    return DocumentKey(hit["_index"], str(found[0]) if found else "")


def lacks_ids(response: Mapping[str, Any]) -> bool:
    """True if a document among the hits was written by a program that does not fill the column."""
    hits = response.get("hits", {}).get("hits", ())
    return any("_id" not in hit and ID_FIELD not in hit.get("fields", ()) for hit in hits)
