"""Late interaction: query and passage are encoded separately; each query token is matched to its best passage token."""

from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import pairwise
from typing import Protocol

import numpy as np

from hybridrank.common.model_info import ModelInfo
from hybridrank.model_files import token_vectors
from hybridrank.model_files.arrays import FloatArray
from hybridrank.model_files.token_vectors import TokenVectors
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.rerankers.base import Pair
from hybridrank.sidecar.runtime.maxsim import maxsim, maxsim_of_rows
from hybridrank.sidecar.runtime.tokenizer import TokenSequence
from hybridrank.sidecar.types import TextKind

# A query is encoded with its first batch and reused by the others; so many queries may be in progress at once.
QUERIES_AT_HAND = 64
UNPACKED_TOKENS = 2048  # of stored passages at once: about what stays in the cache of a core during the comparison
NOTHING_TO_MATCH = -1.0  # the lowest mean of cosines: the score of a passage without any token


class TokenEncoder(Protocol):
    """An encoder of texts into token rows: a dense encoder, or that of a ColBERT checkpoint."""

    info: ModelInfo
    batches: bool

    def tokenize_texts(self, texts: Sequence[str], kind: TextKind) -> list[TokenSequence]:
        """Returns one sequence per text, in order."""

    def windows(self, texts: Sequence[str], kind: TextKind, max_windows: int) -> list[list[TokenSequence]]:
        """Returns, for each text in order, one sequence, or up to `max_windows` of a long one."""

    def token_rows(self, sequences: Sequence[TokenSequence]) -> list[FloatArray]:
        """Returns, for each text, (tokens, dimensions) unit rows of the scored tokens."""


class ColbertReranker:
    """Relevance scores are means of cosines over query tokens, in [-1, 1] (`runtime/maxsim.py` has the formula).

    Or their sums, as in the published ColBERT: its queries are padded to one length, so their sums share a range.
    """

    def __init__(self, encoder: TokenEncoder, *, sums: bool = False) -> None:
        self.info = encoder.info
        self.batches = encoder.batches
        self._sums = sums
        self.encoder = encoder
        # Caches a function, not a method of this object: a cycle would keep an unloaded model in memory for a while.
        self._query_rows = lru_cache(maxsize=QUERIES_AT_HAND)(partial(_encode_query, encoder))

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Pair]:
        """Tokenises query and passage separately, each with the whole context."""
        return [only for (only,) in self.windows(query, passages, 1)]

    def windows(self, query: str, passages: Sequence[str], max_windows: int) -> list[list[Pair]]:
        """Same as `tokenize`, for each window of each passage; raises InvalidArgument for a query without a token."""
        head = self.tokenize_query(query)
        found = self.encoder.windows(passages, TextKind.DOCUMENT, max_windows)
        return [[Pair(sequence, head) for sequence in sequences] for sequences in found]

    def tokenize_query(self, query: str) -> TokenSequence:
        """Tokenises the query; raises InvalidArgument if it has no token."""
        (head,) = self.encoder.tokenize_texts([query], TextKind.QUERY)
        if all(head.special):  # only combining marks, for example
            raise InvalidArgument("query", f"has nothing that {self.info.name} can read; send at least one word")
        return head

    def score(self, pairs: Sequence[Pair]) -> FloatArray:
        """Returns (n,) means or sums of cosines; pairs of several queries may be in one batch."""
        passages = self.encoder.token_rows([pair.sequence for pair in pairs])
        queries = [self._query_rows(pair.query) for pair in pairs]
        means = [maxsim(query, [rows])[0] for query, rows in zip(queries, passages, strict=True)]
        scores = np.maximum(np.array(means, dtype=np.float32), NOTHING_TO_MATCH)
        return scores * np.array([len(query) for query in queries], dtype=np.float32) if self._sums else scores

    def score_stored(self, query: TokenSequence, passages: Sequence[TokenVectors]) -> FloatArray:
        """Same as `score`, for already encoded passages of one codec; some thousand of their tokens at a time."""
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
