"""Values that cross the borders of the connector: frozen, compared by value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from hybridrank.common.encoders import TokenFormat
from hybridrank.connector.total_hits import TotalHits
from hybridrank.index_templates import EncoderNote

__all__ = [
    "DEFAULT_CHUNKS",
    "DEFAULT_WEIGHT",
    "MAX_CHUNKS",
    "Candidate",
    "Degraded",
    "Document",
    "DocumentKey",
    "Encoding",
    "EngineInfo",
    "FoundPassage",
    "Hit",
    "Ranking",
    "RelevanceScore",
    "Retrieved",
    "RetrieverScore",
    "SearchResponse",
    "Timings",
    "TokenFormat",
    "Vector",
]

DEFAULT_CHUNKS = 4
"""Windows in which a reranker reads a text longer than its input; the sidecar's own default."""
DEFAULT_WEIGHT = 0.5
"""Share of a reranker in a blend, where neither the request nor its folder names one: both sides count the same."""
MAX_CHUNKS = 100
Vector: TypeAlias = tuple[float, ...]


class DocumentKey(NamedTuple):
    """Name of a document: its concrete index and its id, which another index may also contain. Sorts in that order."""

    index: str  # type: ignore[assignment]  # in place of tuple.index, which nobody asks of a key
    doc_id: str

    def __str__(self) -> str:
        return f"{self.index}/{self.doc_id}"


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """The best matching passage of a long document: its 0-based position among the passages, and its text."""

    place: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document kept for the next stage. `rank` is 1-based; `source` has its indexed fields.

    `passage` is the best of the document's passages, if the index has them. `index` is the concrete index of the
    document, also if an alias or a pattern was searched.
    """

    doc_id: str
    rank: int
    score: float
    source: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    passage: FoundPassage | None = field(default=None, compare=False)
    index: str = ""

    @property
    def key(self) -> DocumentKey:
        """Key of the document among those of all indices."""
        return DocumentKey(self.index, self.doc_id)


Ranking: TypeAlias = tuple[Candidate, ...]
"""Candidates of one query in order: ranks 1, 2, 3 …, non-increasing scores, each document (index and id) once."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """One retriever's ranking; `warning` names missing parts (such as a failed shard) and is empty if it is complete.

    `aggregations` are the engine's answer to those of the query, `profile` is its own time profile, `total` is the
    number of matching documents, if the query requests it.
    """

    ranking: Ranking
    warning: str = ""
    aggregations: Mapping[str, Any] = field(default_factory=dict)
    profile: Mapping[str, Any] = field(default_factory=dict)
    total: TotalHits | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document to index: its id, its fields, and, if it has them, its vector and its packed token vectors.

    `passages` are the texts and vectors of its parts; `vectors` are the vectors of further fields, by name; `sparse` is
    its sparse vector, token → weight.
    """

    doc_id: str
    source: Mapping[str, Any]
    vector: Vector | None = field(default=None, repr=False)
    token_vectors: bytes | None = field(default=None, repr=False)
    passages: tuple[tuple[str, Vector], ...] = field(default=(), repr=False)
    vectors: Mapping[str, Vector] = field(default_factory=dict, repr=False)
    sparse: Mapping[str, float] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Encoding:
    """One text as a unit vector; `truncated` if the model read only its beginning.

    With `token_vectors`, packed for storage, `truncated` is about their windows, and `vector` is empty if the model
    makes none for a whole text, and so it is with `sparse`, token → weight. `encoder` is the model that answered, None
    if unknown: a caller's own vector.
    """

    vector: Vector = field(repr=False)
    truncated: bool = False
    token_vectors: bytes = field(default=b"", repr=False)
    encoder: EncoderNote | None = field(default=None, compare=False, repr=False)
    sparse: Mapping[str, float] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class RelevanceScore:
    """A reranker's score of one candidate: higher is better, comparable within one query and one model.

    `truncated` is True if it did not read the whole text, `scored_chunks` is the number of windows it read (0: it read
    no text), `best_chunk` the 0-based number of the best one of several. `contributions`, if requested, are the
    contribution of each feature to the score; the last entry is the bias.
    """

    score: float
    truncated: bool = False
    contributions: tuple[float, ...] = ()
    best_chunk: int | None = None
    scored_chunks: int = 0


@dataclass(frozen=True, slots=True)
class RetrieverScore:
    """Rank of a document in one retriever, and its raw score."""

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """One document of the answer with the scores of every stage.

    `score` is that of the last stage that scored it: blended, or fused if no stage did; hits with different last stages
    have scores on different scales. `final_score` is on one scale and never rises down the relevance ranking: it is
    `score` if the last stage scored the hit. Below these hits, it keeps the earlier stages' distance to the best hit
    that the last stage did not score, counted down from the lowest `score` of the last stage. `retrievers` leaves out a
    retriever that did not find the document, and is empty if the engine fused, because it does not report them.
    `rerank_scores` has the score of each model, by name, and `rerank_score` the last of them: None outside every
    window, and inside if time ran out. `truncated` is True if a reranker did not read the whole text, `scored_chunks`
    is the number of windows that the last one read, and `best_chunk` the 0-based number of the best one of several.
    `features`, on request, has NaN for unknown values, and `highlights`, on request, has fragments by field, as HTML
    with `<em>` around matches. `passage` is the best passage of a long document, from the retriever that ranks the
    document best. `index` is the concrete index of the document: with `doc_id` it identifies the document if an alias,
    a pattern or a data stream resolves to several indices.
    """

    doc_id: str
    rank: int
    score: float
    fused_rank: int
    fused_score: float
    retrievers: Mapping[str, RetrieverScore]
    rerank_score: float | None = None
    truncated: bool = False
    source: Mapping[str, Any] = field(default_factory=dict, repr=False)
    rerank_scores: Mapping[str, float] = field(default_factory=dict)
    features: Mapping[str, float] = field(default_factory=dict)
    highlights: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    passage: FoundPassage | None = None
    best_chunk: int | None = None
    scored_chunks: int = 0
    final_score: float = field(kw_only=True)
    index: str = ""

    @property
    def key(self) -> DocumentKey:
        """Key of the document among those of all indices."""
        return DocumentKey(self.index, self.doc_id)


@dataclass(frozen=True, slots=True)
class Degraded:
    """A skipped part of the answer: the stage, a reason word, and a sentence with details.

    `configuration` is True for a fault that every such search meets until somebody changes something (a misspelt
    field), and False for an operational one, which is temporary or specific to the data (a timeout). `faults.py`
    decides it.
    """

    stage: (
        str  # the retriever's name, or "encode", "fusion", "rescore" ("rescore:MODEL"), "feature_log", "highlight", …
    )
    reason: str
    detail: str
    configuration: bool = False


@dataclass(frozen=True, slots=True)
class Timings:
    """Wall-clock milliseconds of each stage in this process; 0 for a stage that did not run.

    `rescore_ms` is the time of all rescoring together, `page_ms` that of the page's sources and highlights.
    """

    encode_ms: float = 0.0
    retrieve_ms: float = 0.0
    rescore_ms: float = 0.0
    page_ms: float = 0.0
    total_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class SearchResponse:
    """One page of the ranking.

    `total_candidates` is the length of the fused ranking from which pages are cut; a page past its end is empty.
    `degraded` is empty if every requested stage ran. `aggregations` are the engine's own answer, `profile` its own
    profiles by retriever. `total` counts the documents that BM25 matches and the filters pass; None if they were not
    counted: without BM25, after fusion in the engine, or with `track_total_hits=False`.
    """

    hits: tuple[Hit, ...]
    total_candidates: int
    degraded: tuple[Degraded, ...]
    timings: Timings
    aggregations: Mapping[str, Any] = field(default_factory=dict)
    profile: Mapping[str, Any] = field(default_factory=dict)
    total: TotalHits | None = None


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Identity of the engine: "opensearch", "elasticsearch" or "embedded", its version, and its capabilities."""

    name: str
    version: str
    capabilities: frozenset[str] = frozenset()
