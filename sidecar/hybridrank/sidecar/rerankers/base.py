"""What the service asks of a model: cut texts into inputs, then turn a batch of inputs into scores or vectors.

Both steps are plain functions, called off the event loop; `score` and `embed` may be called by several threads at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hybridrank.sidecar.runtime.tokenizer import TokenSequence
from hybridrank.sidecar.types import ModelInfo, TextKind

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Pair:
    """A query and a passage as a reranker reads them.

    A cross-encoder reads `sequence`, both in one. Late interaction reads the passage in `sequence` and `query` apart.
    """

    sequence: TokenSequence
    query: TokenSequence | None = None

    def __len__(self) -> int:
        return len(self.sequence)

    @property
    def truncated(self) -> bool:
        """The model sees only the beginning of the passage."""
        return self.sequence.truncated

    @property
    def query_truncated(self) -> bool:
        """The model sees only the beginning of the query."""
        return self.sequence.query_truncated or (self.query is not None and self.query.truncated)


class Reranker(Protocol):
    """Scores how well passages answer a query.

    A passage's score depends on the query and the passage alone. Where a model breaks that for batch-mates (int8 with
    dynamic quantisation does: one scale serves the whole batch), `batches` is False and every pair is computed alone.
    In bf16 a batch-mate moves a score too, by a hundredth of their standard deviation at most (docs/sidecar.md has the
    figures): little beside the rounding itself, so those are batched.
    """

    info: ModelInfo
    batches: bool

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Pair]:
        """One pair a passage, in order; `pair.sequence.truncated` where the end of the passage was cut."""

    def windows(self, query: str, passages: Sequence[str], max_windows: int) -> list[list[Pair]]:
        """For each passage one pair, or up to `max_windows` of a long one, in its order; neighbours overlap."""

    def score(self, pairs: Sequence[Pair]) -> FloatArray:
        """(n,) raw relevance scores, higher is better."""


class Encoder(Protocol):
    """Turns texts into vectors of unit length; `batches` as for rerankers."""

    info: ModelInfo
    batches: bool

    def tokenize_texts(self, texts: Sequence[str], kind: TextKind) -> list[TokenSequence]:
        """One sequence a text, in order."""

    def embed(self, sequences: Sequence[TokenSequence]) -> FloatArray:
        """(n, dimensions) unit rows."""

    def embed_with_tokens(self, sequences: Sequence[TokenSequence]) -> list[FloatArray]:
        """For each text (1 + tokens, dimensions) unit rows: that of `embed`, then one for each token that is scored."""
