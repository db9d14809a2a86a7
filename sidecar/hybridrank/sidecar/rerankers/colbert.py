"""Late interaction: query and passage are encoded apart, and each query token looks for its best passage token."""

from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import pairwise
from typing import Protocol

import numpy as np

from hybridrank.model_files import token_vectors
from hybridrank.model_files.token_vectors import TokenVectors
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.rerankers.base import FloatArray, Pair
from hybridrank.sidecar.runtime.maxsim import maxsim, maxsim_of_rows
from hybridrank.sidecar.runtime.tokenizer import TokenSequence
from hybridrank.sidecar.types import ModelInfo, TextKind

# A query is encoded with its first batch and read by the others; this many queries may be under way at once.
QUERIES_AT_HAND = 64
UNPACKED_TOKENS = 2048  # of stored passages at once: about what stays in the cache of a core while it is compared
NOTHING_TO_MATCH = -1.0  # the lowest mean of cosines: what a passage without a single token scores


class TokenEncoder(Protocol):
    """What turns texts into token rows: a dense encoder, or that of a ColBERT checkpoint."""

    info: ModelInfo
    batches: bool

    def tokenize_texts(self, texts: Sequence[str], kind: TextKind) -> list[TokenSequence]:
        """One sequence a text, in order."""

    def windows(self, texts: Sequence[str], kind: TextKind, max_windows: int) -> list[list[TokenSequence]]:
        """For each text one sequence, or up to `max_windows` of a long one, in its order."""

    def token_rows(self, sequences: Sequence[TokenSequence]) -> list[FloatArray]:
        """For each text (tokens, dimensions) unit rows of the tokens that are scored."""


class ColbertReranker:
    """Relevance scores are means of cosines over query tokens, in [-1, 1] (`runtime/maxsim.py` has the formula).

    Or their sums, as ColBERT was published: filled up to one length, its queries share a range as they are.
    """

    def __init__(self, encoder: TokenEncoder, *, sums: bool = False) -> None:
        self.info = encoder.info
        self.batches = encoder.batches
        self._sums = sums
        self.encoder = encoder
        # Of a function, not of a method of this object: as a cycle, an unloaded model would stay in memory for a while.
        self._query_rows = lru_cache(maxsize=QUERIES_AT_HAND)(partial(_encode_query, encoder))

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Pair]:
        """Query and passage apart, each with the whole context to itself."""
        return [only for (only,) in self.windows(query, passages, 1)]

    def windows(self, query: str, passages: Sequence[str], max_windows: int) -> list[list[Pair]]:
        """As `tokenize`, for each window of each passage; InvalidArgument for a query without a token."""
        head = self.tokenize_query(query)
        found = self.encoder.windows(passages, TextKind.DOCUMENT, max_windows)
        return [[Pair(sequence, head) for sequence in sequences] for sequences in found]

    def tokenize_query(self, query: str) -> TokenSequence:
        """InvalidArgument for a query without a token."""
        (head,) = self.encoder.tokenize_texts([query], TextKind.QUERY)
        if all(head.special):  # combining marks alone, for example
            raise InvalidArgument("query", f"has nothing that {self.info.name} can read; send at least one word")
        return head

    def score(self, pairs: Sequence[Pair]) -> FloatArray:
        """(n,) means or sums of cosines; pairs of several queries may stand in one batch."""
        passages = self.encoder.token_rows([pair.sequence for pair in pairs])
        queries = [self._query_rows(pair.query) for pair in pairs]
        means = [maxsim(query, [rows])[0] for query, rows in zip(queries, passages, strict=True)]
        scores = np.maximum(np.array(means, dtype=np.float32), NOTHING_TO_MATCH)
        return scores * np.array([len(query) for query in queries], dtype=np.float32) if self._sums else scores

    def score_stored(self, query: TokenSequence, passages: Sequence[TokenVectors]) -> FloatArray:
        """As `score`, of passages encoded before; some thousand of their tokens at a time, of one codec."""
        rows = self._query_rows(query)
        ends = np.cumsum([each.tokens for each in passages])
        other_codec = np.array([one.codec is not other.codec for one, other in pairwise(passages)], dtype=bool)
        cuts = np.flatnonzero(np.diff(ends // UNPACKED_TOKENS).astype(bool) | other_codec) + 1
        blocks = (passages[start:end] for start, end in pairwise([0, *cuts.tolist(), len(passages)]))
        means = [maxsim_of_rows(rows, *token_vectors.unpack(block)) for block in blocks]
        scores = np.maximum(np.concatenate(means), NOTHING_TO_MATCH)
        return scores * len(rows) if self._sums else scores


def _encode_query(encoder: TokenEncoder, query: TokenSequence) -> FloatArray:
    return encoder.token_rows([query])[0]
