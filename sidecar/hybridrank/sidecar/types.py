"""The values that pass through the sidecar: frozen, compared by value, without behaviour of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

__all__ = [
    "DEFAULT_CHUNKS",
    "MAX_CHUNKS",
    "ChunkScore",
    "Embedding",
    "EncodeRequest",
    "EncodeResult",
    "FeatureSetInfo",
    "ModelInfo",
    "Passage",
    "RelevanceScore",
    "RerankRequest",
    "RerankResult",
    "ScoreType",
    "TextKind",
    "Timings",
]


DEFAULT_CHUNKS = 4  # windows of a long passage: about 500 tokens of the cross-encoders that ship
MAX_CHUNKS = 100  # a passage is no book; more windows than these take minutes


class ScoreType(Enum):
    """RAW is what the model returns; SIGMOID is 1 / (1 + exp(-raw)), in (0, 1).

    CALIBRATED is the chance, in [0, 1], that a passage scored so is relevant, for models that have a calibration.
    """

    RAW = "raw"
    SIGMOID = "sigmoid"
    CALIBRATED = "calibrated"


class ChunkScore(Enum):
    """What the scores of a passage's windows make together: the best, the first window's, or their mean."""

    MAX = "max"
    FIRST = "first"
    MEAN = "mean"


class TextKind(Enum):
    """What a text is to an encoder; some models were trained with a different prefix for each."""

    QUERY = "query"
    DOCUMENT = "document"


@dataclass(frozen=True)
class Passage:
    """What to score: a text, or for a forest the values of its `features`, in their order, NaN where one is missing.

    For late interaction its stored `token_vectors` may stand in the place of the text (`model_files.token_vectors`).
    `passage_id` is the caller's and may repeat.
    """

    passage_id: str
    text: str
    features: Sequence[float] = ()
    token_vectors: bytes = b""


@dataclass(frozen=True)
class RerankRequest:
    """One query and the passages to score for it; `top_k` 0 returns all of them.

    `deadline` is a point in time of `time.monotonic()`, None for none. With `best_effort` the passages are scored in
    their order, and what is scored when the deadline nears is the answer. A passage longer than the model reads is
    scored as up to `max_chunks_per_document` windows that overlap, whose scores `chunk_score` makes one; those after
    the first when every passage has a score, as far as the deadline and the queue allow. Without `truncate` the request
    is refused where that would leave out the end of a passage or of the query, and all windows are needed.

    With `no_cache` every score is computed anew, and none kept.
    A forest reads no text: it wants features, the `feature_set_digest` they were made by, and tells `contributions`.
    """

    model: str
    query: str
    passages: tuple[Passage, ...]
    top_k: int = 0
    score_type: ScoreType = ScoreType.RAW
    min_score: float | None = None
    best_effort: bool = False
    max_chunks_per_document: int = DEFAULT_CHUNKS
    chunk_score: ChunkScore = ChunkScore.MAX
    truncate: bool = True
    feature_set_digest: str = ""
    contributions: bool = False
    deadline: float | None = None
    no_cache: bool = False

    @property
    def max_windows(self) -> int:
        """How many windows of a passage may count."""
        return 1 if self.chunk_score is ChunkScore.FIRST else self.max_chunks_per_document


@dataclass(frozen=True)
class RelevanceScore:
    """How well the passage at `index` (0-based, in the request) answers the query: higher is better, always finite.

    `truncated` says that the model did not see all of the passage; `scored_chunks` how many of its windows were scored,
    0 where none are read; `best_chunk` which of them (0-based) scored best, where several were allowed.
    `contributions`, where asked for, are what each feature added to the raw score, and last what a candidate has before
    any is known.
    """

    passage_id: str
    index: int
    relevance_score: float
    truncated: bool
    best_chunk: int | None = None
    contributions: tuple[float, ...] = ()
    scored_chunks: int = 0


@dataclass(frozen=True)
class Timings:
    """Where the time of a request went, in milliseconds; `compute_ms` runs from the first batch to the last.

    Further windows of passages add theirs: `queue_ms` is the wait of the first ones and then that of the others.
    """

    tokenize_ms: float
    queue_ms: float
    compute_ms: float

    def __add__(self, other: "Timings") -> "Timings":
        """Of two steps, one after the other."""
        return Timings(
            self.tokenize_ms + other.tokenize_ms, self.queue_ms + other.queue_ms, self.compute_ms + other.compute_ms
        )


@dataclass(frozen=True)
class FeatureSetInfo:
    """The columns that a forest reads, by their names in order, and the SHA-256 that tells this set from others."""

    name: str
    version: str
    digest: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class ModelInfo:
    """What callers may know of a model. `digest` is the SHA-256 over everything that decides its output.

    `max_tokens` is 0 for a forest, which reads features and no text. `token_codec` is the digest of the codec by which
    an encoder packs residuals, and `calibration` that of what calibrates its scores; empty where it has none.
    `comparable_digests` are those of the same model at the other precisions of its folder, whose vectors compare with
    its own. `languages` are ISO 639-1 codes, "*" for many; empty where the folder does not say.
    """

    name: str
    version: str
    kind: str
    digest: str
    precision: str
    max_tokens: int
    dimensions: int = 0
    aliases: tuple[str, ...] = ()
    feature_set: FeatureSetInfo | None = None
    token_codec: str = ""
    calibration: str = ""
    pooling: str = ""
    query_prefix: str = ""
    document_prefix: str = ""
    comparable_digests: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class RerankResult:
    """Scores, best first; equal scores keep the order of the request. Not `complete` where some were not computed.

    `tokens` are those that the model reads of the pairs that were, `scored_chunks` the windows of all passages that
    were scored.
    """

    scores: tuple[RelevanceScore, ...]
    model: ModelInfo
    timings: Timings
    complete: bool = True
    tokens: int = 0
    scored_chunks: int = 0


@dataclass(frozen=True)
class EncodeRequest:
    """Texts to turn into vectors; `truncate` and `deadline` as for `RerankRequest`.

    With `token_vectors` ("fp32", "fp16", "int8", "residual") each becomes one for each of its tokens, packed so.
    """

    model: str
    texts: tuple[str, ...]
    kind: TextKind = TextKind.QUERY
    deadline: float | None = None
    truncate: bool = True
    token_vectors: str = ""
    no_cache: bool = False


@dataclass(frozen=True)
class Embedding:
    """A vector of unit length, packed ones of tokens, or both; and whether the model saw only the text's beginning."""

    vector: tuple[float, ...]
    truncated: bool
    token_vectors: bytes = b""


@dataclass(frozen=True)
class EncodeResult:
    """One embedding a text, in the order of the request; `tokens` are those that the model reads of them."""

    embeddings: tuple[Embedding, ...]
    model: ModelInfo
    timings: Timings
    tokens: int = 0
