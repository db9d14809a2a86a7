"""The values that cross the borders of this package: what is known of a query and of a candidate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

__all__ = ["Among", "CandidateFacts", "Dialect", "FeatureQuery", "Seen"]

Dialect: TypeAlias = Literal["opensearch", "elasticsearch"]


@dataclass(frozen=True, slots=True)
class FeatureQuery:
    """One query as features see it.

    `vector` is its embedding, where it has one; `request` what only the caller knows, of a user or a session; `now` the
    time from which ages are counted, so that a logged search can be repeated. `encoder` is what made the vector, for an
    engine that knows what made the vectors it is compared with.
    """

    text: str
    vector: tuple[float, ...] | None = None
    request: Mapping[str, float] = field(default_factory=dict)
    now: datetime | None = None
    encoder: Any = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Among:
    """The candidates, as an engine finds them: a query clause that matches these documents alone, and their number."""

    clause: Mapping[str, Any]
    count: int


@dataclass(frozen=True, slots=True)
class CandidateFacts:
    """What the stages before made of one candidate.

    `retrievers` holds (rank, score) by retriever, 1-based, without those that did not find it; `rerank_scores` the
    scores of rerankers that have run, by model. `index` is the concrete index that holds the document.
    """

    doc_id: str
    retrievers: Mapping[str, tuple[int, float]]
    fused_rank: int
    fused_score: float
    rerank_scores: Mapping[str, float] = field(default_factory=dict)
    index: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a feature's value can be read from.

    `hit` is the engine's answer for the candidate, empty when it gave none (the document was deleted meanwhile);
    `aggregations` is what the same answer says of the whole index.
    """

    query: FeatureQuery
    candidate: CandidateFacts
    hit: Mapping[str, Any]
    aggregations: Mapping[str, Any]
