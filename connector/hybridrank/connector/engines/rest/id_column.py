"""Ids by column, for rankings whose documents nobody reads. Pure.

A server reads the `_id` of a hit out of the stored document, which it unpacks for that, 200 times for two windows of a
hundred. Our templates hold the id in a column of its own too, and with that a ranking costs a server about half.
"""

from collections.abc import Mapping
from typing import Any

from hybridrank.connector.types import DocumentKey
from hybridrank.index_templates import ID_FIELD

__all__ = ["by_column", "from_stored", "key", "lacks_ids"]

_BY_COLUMN = {"stored_fields": "_none_", "docvalue_fields": [ID_FIELD]}


def by_column(body: Mapping[str, Any]) -> dict[str, Any]:
    """The search, with each hit's id out of the column alone."""
    return {**body, **_BY_COLUMN}


def from_stored(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same search, with ids as servers give them unless they are told otherwise."""
    return {name: value for name, value in body.items() if name not in _BY_COLUMN}


def key(hit: Mapping[str, Any]) -> DocumentKey:
    """The document of a hit, however its id was asked for; the id is empty where it was written without the column."""
    found = [hit["_id"]] if "_id" in hit else hit.get("fields", {}).get(ID_FIELD)
    return DocumentKey(hit["_index"], str(found[0]) if found else "")


def lacks_ids(response: Mapping[str, Any]) -> bool:
    """Whether a document among the hits was written by somebody who does not know of the column."""
    hits = response.get("hits", {}).get("hits", ())
    return any("_id" not in hit and ID_FIELD not in hit.get("fields", ()) for hit in hits)
