"""Values that pass through the sidecar: frozen, compared by value, without behaviour."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from hybridrank.common.model_info import ModelInfo

__all__ = [
    "DEFAULT_CHUNKS",
    "MAX_CHUNKS",
    "CallTimings",
    "ChunkScore",
    "Embedding",
    "EncodeRequest",
    "EncodeResult",
    "RelevanceScore",
    "RerankPassage",
    "RerankRequest",
    "RerankResult",
    "ScoreType",
    "SparseVector",
    "TextKind",
]


DEFAULT_CHUNKS = 4  # windows of a long passage: about 500 tokens with the shipped cross-encoders
MAX_CHUNKS = 100  # a passage is not a book; more windows take minutes


class ScoreType(Enum):
    """RAW is what the model returns; SIGMOID is 1 / (1 + exp(-raw)), in (0, 1).

    CALIBRATED is the probability, in [0, 1], that a passage with this score is relevant, for models with a calibration.
    """

    RAW = "raw"
    SIGMOID = "sigmoid"
    CALIBRATED = "calibrated"


class ChunkScore(Enum):
    """Combined score of a passage's windows: the best, the first window's, or their mean."""

    MAX = "max"
    FIRST = "first"
    MEAN = "mean"


class TextKind(Enum):
    """Kind of a text for an encoder; some models were trained with a different prefix for each."""

    QUERY = "query"
    DOCUMENT = "document"


@dataclass(frozen=True)
class RerankPassage:
    """A candidate to score: a text, or for a forest the values of its `features`, in their order, NaN if missing.

    For late interaction its stored `token_vectors` may replace the text (`model_files.token_vectors`).
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
    their order, and the answer has the scores that are ready shortly before the deadline. A passage longer than the
    model's input is scored in up to `max_chunks_per_document` overlapping windows, whose scores `chunk_score` combines;
    further windows are scored after every passage has a score, as far as the deadline and the queue allow. Without
    `truncate` the request is refused if the end of a passage or of the query would be left out, and all windows are
    required.

    With `no_cache` every score is computed again, and none is cached.
    A forest reads no text: it needs features and their `feature_set_digest`, and can return `contributions`.
    """

    model: str
    query: str
    passages: tuple[RerankPassage, ...]
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
        """Maximum number of windows of a passage that count."""
        return 1 if self.chunk_score is ChunkScore.FIRST else self.max_chunks_per_document


@dataclass(frozen=True)
class RelevanceScore:
    """Score of the passage at `index` (0-based, in the request) for the query: higher is better, always finite.

    `truncated` is True if the model did not read the whole passage; `scored_chunks` is the number of its scored
    windows, 0 for features and stored token vectors; `best_chunk` is the 0-based number of the best one, if several
    were allowed. `contributions`, if requested, are the contribution of each feature to the raw score; the last entry
    is the bias.
    """

    passage_id: str
    index: int
    relevance_score: float
    truncated: bool
    best_chunk: int | None = None
    contributions: tuple[float, ...] = ()
    scored_chunks: int = 0


@dataclass(frozen=True)
class CallTimings:
    """Time of a request by stage, in milliseconds; `compute_ms` runs from the first batch to the last.

    Further windows of passages add their times: `queue_ms` is the wait of the first windows plus that of the others.
    """

    tokenize_ms: float
    queue_ms: float
    compute_ms: float

    def __add__(self, other: "CallTimings") -> "CallTimings":
        """Adds the times of two steps, one after the other."""
        return CallTimings(
            self.tokenize_ms + other.tokenize_ms, self.queue_ms + other.queue_ms, self.compute_ms + other.compute_ms
        )


@dataclass(frozen=True)
class RerankResult:
    """Scores, best first; ties keep the order of the request. Not `complete` if some were not computed.

    `tokens` is the number of tokens that the model reads of the scored pairs, `scored_chunks` the number of scored
    windows of all passages.
    """

    scores: tuple[RelevanceScore, ...]
    model: ModelInfo
    timings: CallTimings
    complete: bool = True
    tokens: int = 0
    scored_chunks: int = 0


@dataclass(frozen=True)
class EncodeRequest:
    """Texts to turn into vectors; `truncate` and `deadline` as for `RerankRequest`.

    With `token_vectors` ("fp32", "fp16", "int8", "residual") each text becomes one vector per token, packed in that
    format.
    """

    model: str
    texts: tuple[str, ...]
    kind: TextKind = TextKind.QUERY
    deadline: float | None = None
    truncate: bool = True
    token_vectors: str = ""
    no_cache: bool = False


@dataclass(frozen=True)
class SparseVector:
    """Weights of tokens of the vocabulary, heaviest first: finite, above 0, at most 64. Special tokens have none."""

    token_ids: tuple[int, ...]
    tokens: tuple[str, ...]
    weights: tuple[float, ...]


@dataclass(frozen=True)
class Embedding:
    """A unit vector, packed token vectors, both, or a sparse vector; and whether the end of the text was not read.

    That is the end beyond the windows of the token vectors, where there are some.
    """

    vector: tuple[float, ...]
    truncated: bool
    token_vectors: bytes = b""
    sparse: SparseVector | None = None


@dataclass(frozen=True)
class EncodeResult:
    """One embedding per text, in the order of the request; `tokens` is the number of tokens that the model reads."""

    embeddings: tuple[Embedding, ...]
    model: ModelInfo
    timings: CallTimings
    tokens: int = 0
