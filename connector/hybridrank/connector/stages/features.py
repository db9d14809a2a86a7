"""Features of the candidates of one search: from the engine in one request, and from earlier stages."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.engines.rest.answers import reading
from hybridrank.connector.errors import EngineTimeout
from hybridrank.connector.types import DocumentKey, Hit
from hybridrank.ltr_features import CandidateFacts, FeatureQuery, FeatureSet, matrix

__all__ = ["FeatureRows", "feature_rows"]


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """A row of values for each candidate, in the order of the set's features; NaN means unknown."""

    feature_set: FeatureSet
    keys: tuple[DocumentKey, ...]
    values: tuple[tuple[float, ...], ...]

    def named(self) -> dict[DocumentKey, dict[str, float]]:
        """Returns document → name → value."""
        names = self.feature_set.names
        return {key: dict(zip(names, row, strict=True)) for key, row in zip(self.keys, self.values, strict=True)}


async def feature_rows(
    engine: Engine, index: str, feature_set: FeatureSet, query: FeatureQuery, hits: Sequence[Hit], timeout_s: float
) -> FeatureRows:
    """Returns the rows of `hits`, for serving and training. Raises EngineError, EngineTimeout after `timeout_s`."""
    keys = tuple(hit.key for hit in hits)
    try:
        answer = await asyncio.wait_for(engine.extract(index, feature_set, query, keys), timeout_s)
    except asyncio.TimeoutError as error:
        message = f"the engine did not compute the features within {timeout_s:.3g} s"
        raise EngineTimeout(message, reason="timeout") from error
    with reading(f"index {index!r}: features"):
        return FeatureRows(feature_set, keys, matrix(feature_set, query, list(map(_facts, hits)), answer))


def _facts(hit: Hit) -> CandidateFacts:
    retrievers = {name: (each.rank, each.score) for name, each in hit.retrievers.items()}
    return CandidateFacts(hit.doc_id, retrievers, hit.fused_rank, hit.fused_score, hit.rerank_scores, hit.index)
