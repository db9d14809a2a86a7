"""The values that cross the borders of the connector: frozen, compared by value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from hybridrank.connector.total_hits import TotalHits
from hybridrank.index_templates import EncoderNote

__all__ = [
    "DEFAULT_CHUNKS",
    "MAX_CHUNKS",
    "Bm25Query",
    "Candidate",
    "Degraded",
    "Document",
    "DocumentKey",
    "Encoding",
    "EngineInfo",
    "Filter",
    "FoundPassage",
    "Hit",
    "KnnQuery",
    "Not",
    "Query",
    "Range",
    "Ranking",
    "RelevanceScore",
    "Retrieved",
    "RetrieverScore",
    "SearchResponse",
    "Term",
    "Terms",
    "Timings",
    "TokenFormat",
    "Vector",
]

DEFAULT_CHUNKS = 4
"""Windows in which a reranker reads a text that is longer than it reads at once; the sidecar's own default."""
MAX_CHUNKS = 100
Vector: TypeAlias = tuple[float, ...]
TokenFormat: TypeAlias = Literal["fp32", "fp16", "int8", "residual"]
"""How token vectors are packed; docs/token-vectors.md says what each costs."""
Scalar: TypeAlias = str | int | float | bool
MAX_TERMS = 65_536
"""Values of one Terms: what OpenSearch and Elasticsearch take (index.max_terms_count)."""


@dataclass(frozen=True, slots=True)
class Term:
    """The field holds this value, or has it among several."""

    field: str
    value: Scalar

    def __post_init__(self) -> None:
        _check_field(self, self.field)
        _check_scalar(self, self.field, self.value, "Terms takes several")


@dataclass(frozen=True, slots=True)
class Terms:
    """The field holds one of these values."""

    field: str
    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        _check_field(self, self.field)
        if not isinstance(self.values, (tuple, list)):
            raise ValueError(f"Terms of field {self.field!r} takes a tuple of values, not {_kind(self.values)}")
        object.__setattr__(self, "values", tuple(self.values))
        if len(self.values) > MAX_TERMS:
            raise ValueError(f"Terms of field {self.field!r} takes {MAX_TERMS} values, not {len(self.values)}")
        for value in self.values:
            _check_scalar(self, self.field, value, "each is one value")


@dataclass(frozen=True, slots=True)
class Range:
    """The field lies between the bounds that are given: gte and lte include the bound, gt and lt do not."""

    field: str
    gte: float | str | None = None
    lte: float | str | None = None
    gt: float | str | None = None
    lt: float | str | None = None

    def __post_init__(self) -> None:
        _check_field(self, self.field)
        bounds = [each for each in (self.gte, self.lte, self.gt, self.lt) if each is not None]
        if not bounds:
            raise ValueError(f"Range of field {self.field!r} has no bound; give gte, lte, gt or lt")
        for each in bounds:
            _check_scalar(self, self.field, each, "a bound is a number or a string")
            if isinstance(each, bool):
                raise ValueError(f"Range of field {self.field!r} takes numbers and strings, not bool")


@dataclass(frozen=True, slots=True)
class Not:
    """The inner filter does not hold; a document without the field passes."""

    filter: "Filter"

    def __post_init__(self) -> None:
        if not isinstance(self.filter, (Term, Terms, Range, Not)):
            raise ValueError(f"Not takes a Term, Terms, Range or Not, not {_kind(self.filter)}")


Filter: TypeAlias = Term | Terms | Range | Not
"""A small vocabulary that every engine carries out exactly, for BM25 and kNN alike."""


class DocumentKey(NamedTuple):
    """The name of a document: its concrete index and its id, which may repeat in another index. Sorts in that order."""

    index: str  # type: ignore[assignment]  # in place of tuple.index, which nobody asks of a key
    doc_id: str

    def __str__(self) -> str:
        return f"{self.index}/{self.doc_id}"


def _check_field(each: object, field: object) -> None:
    if not isinstance(field, str) or not field or "*" in field:
        raise ValueError(f"{type(each).__name__} takes the name of one field, not {field!r}")


def _check_scalar(each: object, field: str, value: object, hint: str) -> None:
    """Raises ValueError for what no engine can compare; a request refuses NaN and half surrogate pairs itself."""
    if not isinstance(value, (str, int, float)):
        name = f"{type(each).__name__} of field {field!r}"
        raise ValueError(f"{name} takes a string, a number or a boolean, not {_kind(value)}; {hint}")


def _kind(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """The passage of a long document that matched best: its place among them, counted from 0, and its text."""

    place: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document kept for the next stage. `rank` is 1-based; `source` holds the fields it was indexed with.

    `passage` is the best of the document's passages, where the index has them. `index` is the concrete index that holds
    the document, also where an alias or a pattern was searched.
    """

    doc_id: str
    rank: int
    score: float
    source: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    passage: FoundPassage | None = field(default=None, compare=False)
    index: str = ""

    @property
    def key(self) -> DocumentKey:
        """Names the document among those of all indices."""
        return DocumentKey(self.index, self.doc_id)


Ranking: TypeAlias = tuple[Candidate, ...]
"""Candidates of one query in order: ranks 1, 2, 3 …, scores never rising, each document (index and id) once."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """One retriever's ranking; `warning` says what it lacks (a failed shard, say) and is empty when it is whole.

    `aggregations` are the engine's answer to those of the query, `profile` is where its time went, in its own words,
    `total` the number of documents that match, where the query asks for it.
    """

    ranking: Ranking
    warning: str = ""
    aggregations: Mapping[str, Any] = field(default_factory=dict)
    profile: Mapping[str, Any] = field(default_factory=dict)
    total: TotalHits | None = None


@dataclass(frozen=True, slots=True)
class Bm25Query:
    """The BM25 retriever's query: `text` against `fields` (name → boost), `rank_window_size` candidates wanted.

    Without `fields` those that the index was made with, boosts and all.

    `source_excludes` names the heavy fields that a hit need not carry. `aggregations`, in the engine's own words, count
    over all that match. `passages` is the nested field whose best passage each hit brings along. Without `with_sources`
    the ranking is one of ids and scores alone. `track_total_hits` is up to how many matches are counted; True counts
    all of them.
    """

    text: str
    fields: Mapping[str, float]
    rank_window_size: int
    filters: tuple[Filter, ...] = ()
    source_excludes: tuple[str, ...] = ()
    aggregations: Mapping[str, Any] = field(default_factory=dict)
    profile: bool = False
    passages: str = ""
    with_sources: bool = True
    track_total_hits: bool | int = False


@dataclass(frozen=True, slots=True)
class KnnQuery:
    """The kNN retriever's query: the nearest `rank_window_size` documents to `vector` by cosine.

    `num_candidates` bounds what an approximate index looks at on each shard; an exact engine has no use for it.
    Where the index rounds vectors, `oversample` times as many are compared again as they were. `path` is the nested
    field that `field` lies in; a document is then as near as the nearest of its passages. `encoder` is what made the
    vector, None where the caller brought it: an engine compares it with what made the index's vectors.
    """

    vector: Vector
    field: str
    rank_window_size: int
    num_candidates: int
    filters: tuple[Filter, ...] = ()
    source_excludes: tuple[str, ...] = ()
    profile: bool = False
    oversample: float | None = None
    path: str = ""
    with_sources: bool = True
    encoder: EncoderNote | None = None


Query: TypeAlias = Bm25Query | KnnQuery


@dataclass(frozen=True, slots=True)
class Document:
    """What an engine indexes: its id, its fields, its vector and its packed token vectors when it has them.

    `passages` are the texts and vectors of its parts; `vectors` those of further fields, by name.
    """

    doc_id: str
    source: Mapping[str, Any]
    vector: Vector | None = field(default=None, repr=False)
    token_vectors: bytes | None = field(default=None, repr=False)
    passages: tuple[tuple[str, Vector], ...] = field(default=(), repr=False)
    vectors: Mapping[str, Vector] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Encoding:
    """One text as a unit vector; `truncated` when the model saw only its beginning.

    With `token_vectors`, packed to be stored, `vector` is empty where the model makes none for a whole text. `encoder`
    is the model that answered, None where nobody knows: a caller's own vector.
    """

    vector: Vector = field(repr=False)
    truncated: bool = False
    token_vectors: bytes = field(default=b"", repr=False)
    encoder: EncoderNote | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RelevanceScore:
    """What a reranker says of one candidate: higher is better, comparable within one query and one model.

    `truncated` says that it did not see all of the text, `scored_chunks` in how many windows it read it (0: it reads no
    text), `best_chunk` which of several (0-based) scored best. `contributions`, where they were asked for, are what
    each feature added to the score, and last what every row has.
    """

    score: float
    truncated: bool = False
    contributions: tuple[float, ...] = ()
    best_chunk: int | None = None
    scored_chunks: int = 0


@dataclass(frozen=True, slots=True)
class RetrieverScore:
    """Where one retriever put a document, and the raw score it gave."""

    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class Hit:
    """One document of the answer with what every stage said of it.

    `score` is that of the last stage that scored it: blended, or fused where none did; hits that different stages
    scored last have theirs on different scales. `final_score` is on one scale and never rises down the relevance
    ranking: `score` where the last stage saw the hit, and below that as far beneath the lowest such score as the
    stages before put the hit beneath the best that the last stage did not see. `retrievers` lacks a retriever
    that did not find the document, and is empty where the engine fused, which does not tell. `rerank_scores` has what
    each model said, by its name, and `rerank_score` the last of them: None outside every window, and inside where time
    ran out. `truncated` says that a reranker did not see all of the text, `scored_chunks` in how many windows the last
    one read it, and `best_chunk` which of several (0-based) scored best. On request `features` is filled, NaN for what
    is not known, and `highlights`: fragments by field, as HTML with `<em>` around what matched. `passage` is the best
    passage of a long document, of the retriever that ranks the document best. `index` is the concrete index that
    holds the document: with `doc_id` it names the document where an alias, a pattern or a data stream stands for
    several indices.
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
        """Names the document among those of all indices."""
        return DocumentKey(self.index, self.doc_id)


@dataclass(frozen=True, slots=True)
class Degraded:
    """A part of the answer that was skipped: which stage, a word for why, and the sentence behind it.

    `configuration` tells a fault that every such search meets until somebody changes something (a misspelt field) from
    an operational one, which passes or comes with the data (a timeout). `faults.py` decides it.
    """

    stage: (
        str  # the retriever's name, or "encode", "fusion", "rescore" ("rescore:MODEL"), "feature_log", "highlight", …
    )
    reason: str
    detail: str
    configuration: bool = False


@dataclass(frozen=True, slots=True)
class Timings:
    """Wall-clock milliseconds of each stage as this process saw them; 0 for a stage that did not run.

    `rescore_ms` is that of all rescoring together, `page_ms` that of the page's sources and highlights.
    """

    encode_ms: float = 0.0
    retrieve_ms: float = 0.0
    rescore_ms: float = 0.0
    page_ms: float = 0.0
    total_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class SearchResponse:
    """One page of the ranking.

    `total_candidates` counts the fused ranking that pages are cut from; a page past its end is empty.
    `degraded` is empty when every stage that was asked for ran. `aggregations` are the engine's own answer, `profile`
    its own profiles by retriever. `total` counts the documents that BM25 matches and the filters let pass; None where
    they were not counted: without BM25, after fusion in the engine, or with `track_total_hits=False`.
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
    """Which engine answers: "opensearch", "elasticsearch" or "embedded", its version, and what it can do."""

    name: str
    version: str
    capabilities: frozenset[str] = frozenset()
