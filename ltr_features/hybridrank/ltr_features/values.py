"""Values that cross the borders of this package: facts about a query and about a candidate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

__all__ = ["Among", "CandidateFacts", "Dialect", "FeatureQuery", "Seen"]

Dialect: TypeAlias = Literal["opensearch", "elasticsearch"]


@dataclass(frozen=True, slots=True)
class FeatureQuery:
    """One query as the features see it.

    `vector` is its embedding, if it has one; `request` holds values that only the caller knows, of a user or a session;
    `now` is the time from which ages are counted, so that a logged search can be repeated. `encoder` identifies the
    model that made the vector, for an engine that knows which model made the vectors in the index.
    """

    text: str
    vector: tuple[float, ...] | None = None
    request: Mapping[str, float] = field(default_factory=dict)
    now: datetime | None = None
    encoder: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Among:
    """The candidates as an engine finds them: a query clause that matches only these documents, and their number."""

    clause: Mapping[str, Any]
    count: int


@dataclass(frozen=True, slots=True)
class CandidateFacts:
    """Results of earlier stages for one candidate.

    `retrievers` maps a retriever to (rank, score), 1-based, without retrievers that did not find it; `rerank_scores`
    maps the model of an earlier reranker to its score. `index` is the concrete index that holds the document.
    """

    doc_id: str
    retrievers: Mapping[str, tuple[int, float]]
    fused_rank: int
    fused_score: float
    rerank_scores: Mapping[str, float] = field(default_factory=dict)
    index: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """All inputs from which a feature's value can be read.

    `hit` is the engine's answer for the candidate, empty if it gave none (the document was deleted meanwhile);
    `aggregations` is the part of the same answer about the whole index.
    """

    query: FeatureQuery
    candidate: CandidateFacts
    hit: Mapping[str, Any]
    aggregations: Mapping[str, Any]
