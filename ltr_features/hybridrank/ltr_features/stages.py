"""Features that need no engine: values of the query, of earlier stages, and of the caller."""

from typing import Literal

from hybridrank.ltr_features.base import MISSING, BaseFeature, words
from hybridrank.ltr_features.transforms import Direction
from hybridrank.ltr_features.values import Seen

__all__ = ["FromRequest", "Fused", "QueryLength", "RerankScore", "Retriever"]


class QueryLength(BaseFeature):
    """Number of different words in the query."""

    kind: Literal["query_length"]

    def raw(self, seen: Seen) -> float:
        """Returns 0 or more."""
        return float(len(words(seen.query.text)))


class Retriever(BaseFeature):
    """Rank or score that a retriever (`bm25`, `knn`) gave the candidate, or `missing`: 1 if it gave none, else 0."""

    kind: Literal["retriever"]
    retriever: str
    value_of: Literal["rank", "score", "missing"] = "score"

    @property
    def evidence(self) -> Direction:
        """Scores speak for a document; a high rank, or a missing one, speaks against it."""
        return 1 if self.value_of == "score" else -1

    def raw(self, seen: Seen) -> float:
        """Returns a 1-based rank or a score, NaN if the retriever did not find the candidate; or the `missing` flag."""
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
        """Returns a 1-based rank, or the score."""
        return float(seen.candidate.fused_rank) if self.value_of == "rank" else seen.candidate.fused_score


class RerankScore(BaseFeature):
    """Score of an earlier reranker, by its model; NaN if it did not score the candidate."""

    kind: Literal["rerank_score"]
    model: str

    @property
    def evidence(self) -> Direction:
        """Always 1: the model's scores rise with relevance."""
        return 1

    def raw(self, seen: Seen) -> float:
        """Returns the score on that model's scale."""
        return seen.candidate.rerank_scores.get(self.model, MISSING)


class FromRequest(BaseFeature):
    """A value from the caller, under `key`: of a user, a session, a shop. NaN if a request does not have it."""

    kind: Literal["request"]
    key: str

    def raw(self, seen: Seen) -> float:
        """Returns the caller's value."""
        return float(seen.query.request.get(self.key, MISSING))
