"""Answers of an engine that fused the rankings itself. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hybridrank.connector.engines.rest import msearch
from hybridrank.connector.errors import EngineError
from hybridrank.connector.types import Retrieved

__all__ = ["ranked"]


def ranked(index: str, answer: Mapping[str, Any], *, scale: float, lacking: str = "") -> Retrieved:
    """Returns the fused ranking; `scale` turns its scores into ours.

    Raises EngineError if it was not fused: the hits of a hybrid query are then those of its queries, one after the
    other, separated by markers with negative scores.
    """
    hits = answer["hits"]["hits"]
    keys = {(hit["_index"], hit["_id"]) for hit in hits}
    if len(keys) < len(hits) or any(hit["_score"] < 0 for hit in hits):
        raise EngineError(
            f"index {index!r}: the hits are not fused: markers or documents that stand twice", reason="not_fused"
        )
    found = msearch.retrieved(index, answer, lacking)
    if isinstance(found, EngineError):
        raise found
    return replace(found, ranking=tuple(replace(each, score=scale * each.score) for each in found.ranking))
