"""Late interaction: query and passage are encoded apart, and each query token looks for its best passage token."""

from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np

from sidecar.errors import InvalidArgument
from sidecar.rerankers.base import FloatArray, Pair
from sidecar.rerankers.dense import DenseEncoder
from sidecar.runtime.maxsim import maxsim
from sidecar.runtime.tokenizer import TokenSequence
from sidecar.types import TextKind

# A query is encoded with its first batch and read by the others; this many queries may be under way at once.
QUERIES_AT_HAND = 64
NOTHING_TO_MATCH = -1.0  # the lowest mean of cosines: what a passage without a single token scores


class ColbertReranker:
    """Relevance scores are means of cosines, in [-1, 1] (`runtime/maxsim.py` has the formula)."""

    def __init__(self, encoder: DenseEncoder) -> None:
        self.info = encoder.info
        self.batches = encoder.batches
        self._encoder = encoder
        # Of a function, not of a method of this object: as a cycle, an unloaded model would stay in memory for a while.
        self._query_rows = lru_cache(maxsize=QUERIES_AT_HAND)(partial(_encode_query, encoder))

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Pair]:
        """Query and passage apart, each with the whole context to itself."""
        return [only for (only,) in self.windows(query, passages, 1)]

    def windows(self, query: str, passages: Sequence[str], max_windows: int) -> list[list[Pair]]:
        """As `tokenize`, for each window of each passage; InvalidArgument for a query without a token."""
        (head,) = self._encoder.tokenize_texts([query], TextKind.QUERY)
        if all(head.special):  # combining marks alone, for example
            raise InvalidArgument("query", f"has nothing that {self.info.name} can read; send at least one word")
        found = self._encoder.windows(passages, TextKind.DOCUMENT, max_windows)
        return [[Pair(sequence, head) for sequence in sequences] for sequences in found]

    def score(self, pairs: Sequence[Pair]) -> FloatArray:
        """(n,) means of cosines; pairs of several queries may stand in one batch."""
        passages = self._encoder.token_rows([pair.sequence for pair in pairs])
        scores = [maxsim(self._query_rows(pair.query), [rows])[0] for pair, rows in zip(pairs, passages, strict=True)]
        return np.maximum(np.array(scores, dtype=np.float32), NOTHING_TO_MATCH)


def _encode_query(encoder: DenseEncoder, query: TokenSequence) -> FloatArray:
    return encoder.token_rows([query])[0]
