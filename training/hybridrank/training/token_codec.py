"""Trains a codec of token vectors: k-means for the centroids, the buckets of least squared error for the residuals.

It also chooses the tokens to leave out: those in most documents, which say little about any of them.
"""

import math
from collections import Counter
from collections.abc import Sequence, Set

import numpy as np

from hybridrank.common.counts import counted
from hybridrank.model_files.arrays import FloatArray, unit_rows
from hybridrank.model_files.token_codec import ResidualCodec
from hybridrank.sidecar.in_process import TextKind, TokenEncoder

__all__ = ["DOCUMENTS", "default_centroids", "frequent_tokens", "sample_rows", "train_codec"]

SEED = 13
DOCUMENTS = 300  # to learn from; for abstracts some 70,000 tokens, which train within a minute
ITERATIONS = 8
BUCKET_ITERATIONS = 200  # over sorted numbers, a millisecond each at most; four bits take that many
HELD_OUT = 0.05  # share of the rows: residuals of rows that the centroids were fitted to would be too small
_BLOCK = 4096
_TEXTS = 256  # that are tokenised at once


def default_centroids(tokens: int, at_most: int = 1024) -> int:
    """Returns ColBERTv2's number, 16 times the root of the number of tokens, as a power of two, limited for a CPU.

    It is at most half of the tokens.

    >>> default_centroids(100), default_centroids(1_000), default_centroids(10_000_000)
    (50, 256, 1024)
    """
    return max(1, min(at_most, tokens // 2, 1 << int(math.log2(16 * math.sqrt(max(1, tokens))))))


def frequent_tokens(encoder: TokenEncoder, texts: Sequence[str], count: int) -> tuple[frozenset[int], float]:
    """Returns the ids of the `count` tokens that occur in most texts, and their share of all token rows of the texts.

    These are the tokens of the lowest idf, as in Acquavia, Tonellotto & Macdonald, DocEng 2023, where the 100 most
    frequent ones made up 45 % of MS MARCO. Ties go to the lower ids.
    """
    texts_with: Counter[int] = Counter()
    rows: Counter[int] = Counter()
    for start in range(0, len(texts), _TEXTS):
        for each in encoder.tokenize_texts(texts[start : start + _TEXTS], TextKind.DOCUMENT):
            scored = [token_id for token_id, flag in zip(each.token_ids, each.special, strict=True) if not flag]
            texts_with.update(set(scored))
            rows.update(scored)
    chosen = sorted(texts_with, key=lambda token_id: (-texts_with[token_id], token_id))[:count]
    return frozenset(chosen), sum(rows[each] for each in chosen) / max(1, rows.total())


def sample_rows(
    encoder: TokenEncoder,
    texts: Sequence[str],
    *,
    documents: int,
    pruned: Set[int] = frozenset(),
    seed: int = SEED,
) -> FloatArray:
    """Returns the token rows (n, dimensions) of `documents` random texts, or all of them, encoded one at a time.

    Rows of the tokens in `pruned` are left out. Raises ValueError if no rows remain.
    """
    drawn = np.random.default_rng(seed).permutation(len(texts))[:documents]
    sequences = encoder.tokenize_texts([texts[place] for place in sorted(drawn)], TextKind.DOCUMENT)
    rows = [rows for each in sequences for rows in encoder.token_rows([each.without(pruned)])]
    if not sum(map(len, rows)):
        raise ValueError(f"no token to learn from in {counted(len(texts), 'document')}")
    return np.concatenate(rows)


def train_codec(
    rows: FloatArray,
    *,
    bits: int,
    centroids: int,
    model_digest: str,
    pruned: frozenset[int] = frozenset(),
    seed: int = SEED,
) -> ResidualCodec:
    """Trains a codec as in ColBERTv2 (Santhanam et al., NAACL 2022) on (n, d) unit rows; deterministic.

    It leaves out the tokens in `pruned`, whose rows should not be among these. Buckets are those of the least squared
    error over residuals of held-out rows; ColBERTv2 takes quantiles, which cut long tails off. Raises ValueError for
    fewer than two rows per centroid, or for other bits than 1, 2 and 4.
    """
    if bits not in {1, 2, 4}:
        raise ValueError(f"{bits} bits a dimension; there are 1, 2 and 4")
    if len(rows) < 2 * centroids:
        raise ValueError(
            f"too few for {counted(centroids, 'centroid')}: {counted(len(rows), 'row')}; take more documents"
        )
    shuffled = rows[np.random.default_rng(seed).permutation(len(rows))]
    held_out = max(1, int(HELD_OUT * len(rows)))
    found = _k_means(shuffled[held_out:], shuffled[held_out : held_out + centroids])
    left = shuffled[:held_out] - found[_nearest(shuffled[:held_out], found)]
    weights = _buckets(left, 1 << bits)
    cutoffs = (weights[1:] + weights[:-1]) / 2
    return ResidualCodec(found, cutoffs.astype(np.float32), weights.astype(np.float32), model_digest, pruned)


def _buckets(numbers: FloatArray, count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Returns the `count` values to which numbers are rounded with the least squared error (Lloyd 1982), ascending.

    Each is the mean of the numbers that are nearest to it; one that is nearest to none stays.

    >>> _buckets(np.array([0.0, 0.2, 1.0, 9.0], dtype=np.float32), 2).round(1).tolist()
    [0.4, 9.0]
    """
    ordered = np.sort(numbers, axis=None).astype(np.float64)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    found = np.quantile(ordered, (np.arange(count) + 0.5) / count)
    for _ in range(BUCKET_ITERATIONS):
        ends = np.concatenate([[0], np.searchsorted(ordered, (found[1:] + found[:-1]) / 2), [len(ordered)]])
        held = np.diff(ends)
        found = np.where(held, np.diff(sums[ends]) / np.maximum(held, 1), found)
    return found


def _k_means(rows: FloatArray, start: FloatArray) -> FloatArray:
    """Lloyd's steps on the sphere, from `start`; a centroid that is nearest to no row stays."""
    centroids = start
    for _ in range(ITERATIONS):
        nearest = _nearest(rows, centroids)
        order = np.argsort(nearest, kind="stable")
        taken, starts = np.unique(nearest[order], return_index=True)
        moved = centroids.copy()
        moved[taken] = np.add.reduceat(rows[order], starts, axis=0)
        centroids = unit_rows(moved)
    return centroids.astype(np.float16).astype(np.float32)  # half the file, and residuals are from what it holds


def _nearest(rows: FloatArray, centroids: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    starts = range(0, len(rows), _BLOCK)
    return np.concatenate([np.argmax(rows[start : start + _BLOCK] @ centroids.T, axis=1) for start in starts])
