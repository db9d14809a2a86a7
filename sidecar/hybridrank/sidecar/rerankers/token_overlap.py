"""A reranker without weights: the share of query words in a passage. For tests and for trying out the protocol."""

import re
from collections.abc import Sequence
from zlib import crc32

import numpy as np

from hybridrank.common.model_info import ModelInfo
from hybridrank.model_files.arrays import FloatArray
from hybridrank.sidecar.rerankers.base import Pair, PairReranker
from hybridrank.sidecar.runtime.tokenizer import TokenSequence

MAX_TOKENS = 512
OVERLAP = 64


class TokenOverlapReranker(PairReranker):
    """Relevance scores in [0, 1]: the share of the query's different words that are among the 512 of a window.

    >>> reranker = TokenOverlapReranker()
    >>> reranker.score(reranker.tokenize("red apples", ["Apples are red.", "an apple", "red"])).tolist()
    [1.0, 0.0, 0.5]
    """

    info = ModelInfo("token-overlap", "1", "cross-encoder", "0" * 64, "fp32", MAX_TOKENS)
    http_order = 0

    def windows(self, query: str, passages: Sequence[str], max_windows: int) -> list[list[Pair]]:
        """Returns windows of 512 tokens, each of which shares 64 with the next.

        A token is a lower-case word, and its id is the word's CRC-32.
        """
        (head,) = _windows(query, 1)
        return [[Pair(window, head) for window in _windows(passage, max_windows)] for passage in passages]

    def score(self, pairs: Sequence[Pair]) -> FloatArray:
        """Returns (n,) shares."""
        return np.array([_share(pair) for pair in pairs], dtype=np.float32)


def _windows(text: str, max_windows: int) -> list[TokenSequence]:
    ids = [crc32(word.encode()) for word in re.findall(r"\w+", text.lower())]
    starts = range(0, max(1, len(ids) - OVERLAP), MAX_TOKENS - OVERLAP)
    windows = [tuple(ids[start : start + MAX_TOKENS]) for start in starts[:max_windows]]
    truncated = len(starts) > max_windows
    return [TokenSequence(each, (0,) * len(each), (False,) * len(each), truncated) for each in windows]


def _share(pair: Pair) -> float:
    wanted = set(pair.query.token_ids) if pair.query else set()
    return len(wanted & set(pair.sequence.token_ids)) / len(wanted) if wanted else 0.0
