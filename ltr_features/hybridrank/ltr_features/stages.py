"""Features that no engine is asked for: the query's own, those of the stages before, and what the caller knows."""

from typing import Literal

from hybridrank.ltr_features.base import MISSING, BaseFeature, words
from hybridrank.ltr_features.transforms import Direction
from hybridrank.ltr_features.values import Seen

__all__ = ["FromRequest", "Fused", "QueryLength", "RerankScore", "Retriever"]


class QueryLength(BaseFeature):
    """How many different words the query has."""

    kind: Literal["query_length"]

    def raw(self, seen: Seen) -> float:
        """From 0 on."""
        return float(len(words(seen.query.text)))


class Retriever(BaseFeature):
    """Rank or score that a retriever (`bm25`, `knn`) gave the candidate, or whether it is `missing` there (1 or 0)."""

    kind: Literal["retriever"]
    retriever: str
    value_of: Literal["rank", "score", "missing"] = "score"

    @property
    def evidence(self) -> Direction:
        """Scores speak for a document; a high rank, or none, against it."""
        return 1 if self.value_of == "score" else -1

    def raw(self, seen: Seen) -> float:
        """A rank is 1-based; NaN for rank and score where the retriever did not find the candidate."""
        found = seen.candidate.retrievers.get(self.retriever)
        if self.value_of == "missing":
            return float(found is None)
        if found is None:
            return MISSING
        rank, score = found
        return float(rank) if self.value_of == "rank" else score


class Fused(BaseFeature):
    """Rank or score after fusion."""

    kind: Literal["fused"]
    value_of: Literal["rank", "score"] = "score"

    @property
    def evidence(self) -> Direction:
        """A score speaks for a document, a high rank against it."""
        return 1 if self.value_of == "score" else -1

    def raw(self, seen: Seen) -> float:
        """A rank is 1-based."""
        return float(seen.candidate.fused_rank) if self.value_of == "rank" else seen.candidate.fused_score


class RerankScore(BaseFeature):
    """The score of a reranker that ran before, by its model; NaN when it did not score the candidate."""

    kind: Literal["rerank_score"]
    model: str

    @property
    def evidence(self) -> Direction:
        """The higher, the better, to that model."""
        return 1

    def raw(self, seen: Seen) -> float:
        """On that model's scale."""
        return seen.candidate.rerank_scores.get(self.model, MISSING)


class FromRequest(BaseFeature):
    """What only the caller knows, under `key`: of a user, a session, a shop. NaN when a request does not say."""

    kind: Literal["request"]
    key: str

    def raw(self, seen: Seen) -> float:
        """As the caller gives it."""
        return float(seen.query.request.get(self.key, MISSING))
