"""Interfaces of models: they cut texts into inputs, then turn a batch of inputs into scores or vectors.

Both steps are plain functions, called off the event loop; `score` and `embed` may be called by several threads at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from hybridrank.common.counts import counted
from hybridrank.common.model_info import ModelInfo
from hybridrank.model_files.arrays import FloatArray
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.runtime.tokenizer import TokenSequence
from hybridrank.sidecar.types import CallTimings, RelevanceScore, RerankRequest, SparseVector, TextKind

__all__ = [
    "NOT_FINITE",
    "Encoder",
    "Pair",
    "PairReranker",
    "Reranker",
    "Scored",
    "Scoring",
    "SparseEncoder",
    "TokenEncoder",
]

Value = TypeVar("Value")
NOT_FINITE = "its weights hold NaN or are too large; export it again"
SELF_CHECK = ("what does a sidecar do", ("A sidecar scores passages beside the search engine.", ""))


@dataclass(frozen=True)
class Pair:
    """A query and a passage as input of a reranker.

    A cross-encoder reads `sequence`, which has both. Late interaction reads the passage in `sequence`, and `query`
    separately.
    """

    sequence: TokenSequence
    query: TokenSequence | None = None

    def __len__(self) -> int:
        return len(self.sequence)

    @property
    def truncated(self) -> bool:
        """True if the model reads only the beginning of the passage."""
        return self.sequence.truncated

    @property
    def query_truncated(self) -> bool:
        """True if the model reads only the beginning of the query."""
        return self.sequence.query_truncated or (self.query is not None and self.query.truncated)


class Scored(NamedTuple):
    """Raw scores of a request in its order, the time they took, and the number of tokens that the model read."""

    scores: Sequence[RelevanceScore]
    timings: CallTimings
    tokens: int = 0


class Scoring(Protocol):
    """Ways to compute the scores of a request on the threads of the sidecar, in its queue and within its deadline."""

    async def texts(self, request: RerankRequest, reranker: "PairReranker") -> Scored:
        """Scores passages by their texts, in windows and batches, with the cache."""

    async def blocks(
        self,
        request: RerankRequest,
        model: str,
        values: Sequence[Value],
        tokens: Sequence[float],
        compute: Callable[[Sequence[Value]], npt.NDArray[np.floating[Any]]],
        *,
        pace: str,
    ) -> tuple[dict[int, list[float]], CallTimings]:
        """Scores values that take microseconds each (`scoring/block_scoring.py`)."""


class Reranker(ABC):
    """Scores the passages of a request.

    `http_order` decides which model serves HTTP calls that name none: the lowest, and of equals the first that was
    loaded. None is for a model that reads something else than texts, which HTTP cannot carry.
    """

    info: ModelInfo
    http_order: int | None = None

    @abstractmethod
    async def scores(self, request: RerankRequest, scoring: Scoring) -> Scored:
        """Returns the raw score of each passage; with `best_effort`, of those ready shortly before the deadline."""

    @abstractmethod
    def self_check(self) -> str | None:
        """Computes a few scores; returns the problem with them, None if there is none."""

    def relevance_scores(self, query: str, passages: Sequence[str]) -> list[float]:  # noqa: ARG002
        """Returns a score per passage, computed at once; raises InvalidArgument if the model reads no texts."""
        raise InvalidArgument("model", f"{self.info.name} is a {self.info.kind}, which reads no texts")


class PairReranker(Reranker):
    """Scores how well the text of a passage matches a query.

    A passage's score depends only on the query and the passage. If batch-mates would change it (as in int8 with dynamic
    quantisation: one scale for the whole batch), `batches` is False and every pair is computed alone. In bf16 a
    batch-mate also changes a score, by at most a hundredth of the scores' standard deviation (docs/sidecar.md has the
    figures): little compared with the rounding itself, so those are batched.
    """

    batches: bool = True
    http_order: int | None = 1

    @abstractmethod
    def windows(self, query: str, passages: Sequence[str], max_windows: int) -> list[list[Pair]]:
        """Returns, for each passage in order, one pair, or up to `max_windows` of a long one; neighbours overlap."""

    @abstractmethod
    def score(self, pairs: Sequence[Pair]) -> FloatArray:
        """Returns (n,) raw relevance scores, higher is better."""

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Pair]:
        """Returns one pair per passage, in order; `pair.sequence.truncated` if the end of the passage was cut."""
        return [only for (only,) in self.windows(query, passages, 1)]

    async def scores(self, request: RerankRequest, scoring: Scoring) -> Scored:
        """Scores texts; raises InvalidArgument for stored token vectors."""
        if any(passage.token_vectors for passage in request.passages):
            problem = f"are for late interaction, and {self.info.name} is a {self.info.kind}; send texts"
            raise InvalidArgument("candidates.token_vectors", problem)
        return await scoring.texts(request, self)

    def self_check(self) -> str | None:
        """Scores two passages, one of them empty."""
        query, passages = SELF_CHECK
        scores = self.score(self.tokenize(query, passages))
        if scores.shape != (len(passages),):
            return f"scores of shape {scores.shape} came back for {counted(len(passages), 'passage')}"
        if not np.isfinite(scores).all():
            return f"{len(passages)} passages got the scores {scores.tolist()}; {NOT_FINITE}"
        return None

    def relevance_scores(self, query: str, passages: Sequence[str]) -> list[float]:
        """Returns a score per passage; all in one batch, or alone if a batch-mate changes a score."""
        pairs = self.tokenize(query, passages)
        batches = [pairs] if self.batches else [[pair] for pair in pairs]
        return [float(score) for batch in batches for score in self.score(batch)]


class Encoder(Protocol):
    """Turns texts into vectors of unit length; `batches` as for rerankers."""

    info: ModelInfo
    batches: bool

    def tokenize_texts(self, texts: Sequence[str], kind: TextKind) -> list[TokenSequence]:
        """Returns one sequence per text, in order."""

    def embed(self, sequences: Sequence[TokenSequence]) -> FloatArray:
        """Returns (n, dimensions) unit rows."""

    def embed_with_tokens(self, sequences: Sequence[TokenSequence]) -> list[FloatArray]:
        """Returns, for each text, (1 + tokens, dimensions) unit rows: that of `embed`, then one per scored token."""


class TokenEncoder(Protocol):
    """Turns texts into token rows: a dense encoder, or that of a ColBERT checkpoint."""

    info: ModelInfo
    batches: bool

    def tokenize_texts(self, texts: Sequence[str], kind: TextKind) -> list[TokenSequence]:
        """Returns one sequence per text, in order."""

    def windows(self, texts: Sequence[str], kind: TextKind, max_windows: int) -> list[list[TokenSequence]]:
        """Returns, for each text in order, one sequence, or up to `max_windows` of a long one."""

    def token_rows(self, sequences: Sequence[TokenSequence]) -> list[FloatArray]:
        """Returns, for each text, (tokens, dimensions) unit rows of the scored tokens."""


class SparseEncoder(Protocol):
    """Turns texts into sparse vectors; a row is (2, tokens): the ids of tokens, then their weights.

    `looks_up_queries` is True if queries take no inference.
    """

    info: ModelInfo
    batches: bool
    looks_up_queries: bool

    def tokenize_texts(self, texts: Sequence[str], kind: TextKind) -> list[TokenSequence]:
        """Returns one sequence per text, in order."""

    def windows(self, texts: Sequence[str], kind: TextKind, max_windows: int) -> list[list[TokenSequence]]:
        """Returns, for each text in order, one sequence, or up to `max_windows` of a long one."""

    def sparse_rows(self, sequences: Sequence[TokenSequence], kind: TextKind) -> list[FloatArray]:
        """Returns a row for each text of this kind."""

    def sparse_vector(self, row: FloatArray) -> SparseVector:
        """Returns a row with its tokens as strings."""
