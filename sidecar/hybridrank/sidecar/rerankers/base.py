"""Interfaces of models: they cut texts into inputs, then turn a batch of inputs into scores or vectors.

Both steps are plain functions, called off the event loop; `score` and `embed` may be called by several threads at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hybridrank.common.model_info import ModelInfo
from hybridrank.model_files.arrays import FloatArray
from hybridrank.sidecar.runtime.tokenizer import TokenSequence
from hybridrank.sidecar.types import TextKind


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


class Reranker(Protocol):
    """Scores how well passages match a query.

    A passage's score depends only on the query and the passage. If batch-mates would change it (as in int8 with dynamic
    quantisation: one scale for the whole batch), `batches` is False and every pair is computed alone. In bf16 a
    batch-mate also changes a score, by at most a hundredth of the scores' standard deviation (docs/sidecar.md has the
    figures): little compared with the rounding itself, so those are batched.
    """

    info: ModelInfo
    batches: bool

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Pair]:
        """Returns one pair per passage, in order; `pair.sequence.truncated` if the end of the passage was cut."""

    def windows(self, query: str, passages: Sequence[str], max_windows: int) -> list[list[Pair]]:
        """Returns, for each passage in order, one pair, or up to `max_windows` of a long one; neighbours overlap."""

    def score(self, pairs: Sequence[Pair]) -> FloatArray:
        """Returns (n,) raw relevance scores, higher is better."""


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
