"""A reranker without weights: the share of query words that a passage holds. For tests and for trying out the wire."""

import re
from collections.abc import Sequence
from zlib import crc32

import numpy as np

from sidecar.rerankers.base import FloatArray, Pair
from sidecar.runtime.tokenizer import TokenSequence
from sidecar.types import ModelInfo

MAX_TOKENS = 512


class TokenOverlapReranker:
    """Relevance scores in [0, 1]: of the query's different words, the share found among the passage's first 512.

    >>> reranker = TokenOverlapReranker()
    >>> reranker.score(reranker.tokenize("red apples", ["Apples are red.", "an apple", "red"])).tolist()
    [1.0, 0.0, 0.5]
    """

    info = ModelInfo("token-overlap", "1", "cross-encoder", "0" * 64, "fp32", MAX_TOKENS)
    batches = True

    def tokenize(self, query: str, passages: Sequence[str]) -> list[Pair]:
        """A token is a lower-case word; its id is the CRC-32 of it."""
        head = _words(query)
        return [Pair(_words(passage), head) for passage in passages]

    def score(self, pairs: Sequence[Pair]) -> FloatArray:
        """(n,) shares."""
        return np.array([_share(pair) for pair in pairs], dtype=np.float32)


def _words(text: str) -> TokenSequence:
    words = re.findall(r"\w+", text.lower())
    kept = tuple(crc32(word.encode()) for word in words[:MAX_TOKENS])
    return TokenSequence(kept, (0,) * len(kept), (False,) * len(kept), truncated=len(words) > MAX_TOKENS)


def _share(pair: Pair) -> float:
    wanted = set(pair.query.token_ids) if pair.query else set()
    return len(wanted & set(pair.sequence.token_ids)) / len(wanted) if wanted else 0.0
