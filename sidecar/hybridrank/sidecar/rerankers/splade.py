"""SPLADE: a sparse vector per text, with a weight for some tokens of the vocabulary.

Formal, Piwowarski and Clinchant, SIGIR 2021. With weights of its own for query tokens it is inference-free for queries:
Geng, Wang, Ru and Yang, arXiv 2411.04403.
"""

import math
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hybridrank.common.counts import counted
from hybridrank.model_files.arrays import FloatArray
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.model_folder import ModelFolder, SpladeToml, sha256
from hybridrank.sidecar.rerankers.base import Pair, PairReranker, SparseEncoder
from hybridrank.sidecar.rerankers.kind import LoadedModel, Variant, onnx_variants
from hybridrank.sidecar.runtime.precision import Placed, Wanted
from hybridrank.sidecar.runtime.session import open_session, served
from hybridrank.sidecar.runtime.tokenizer import TextTokenizer, TokenSequence
from hybridrank.sidecar.types import SparseVector, TextKind

__all__ = ["LARGEST", "OUTPUT", "QUERY_WEIGHTS", "SMALLEST", "SpladeEncoder", "SpladeReranker", "variants"]

OUTPUT = "weights"  # (batch, vocabulary), from 0
QUERY_WEIGHTS = "query_weights.npy"  # (vocabulary,)
LARGEST = 64.0  # engines refuse a heavier token of a query
SMALLEST = 1e-6
QUERIES_AT_HAND = 64


class SpladeEncoder:
    """Keeps the heaviest tokens of a text; special tokens have no weight. A row is (2, tokens): ids, then weights."""

    def __init__(self, placed: Placed, toml: SpladeToml) -> None:
        folder = placed.folder
        self._toml = toml
        self._tokenizer = TextTokenizer(folder.path / "tokenizer.json", toml.max_tokens)
        self._session = open_session(folder, OUTPUT, self._tokenizer.padding_id, placed.device, placed.runtime)
        self._vocabulary = self._tokenizer.vocabulary()
        self._query_weights = self._read_query_weights(folder) if toml.query_weights else None
        self.looks_up_queries = self._query_weights is not None
        self.info = served(folder, self._session)
        self.batches = self.info.precision != "int8"

    def _read_query_weights(self, folder: ModelFolder) -> FloatArray:
        """Returns a weight for each token of the tokenizer, or of the graph, which may have padded it."""
        weights = _query_weights(folder, self._toml)
        (row,) = self._session.run(self.tokenize_texts([""], TextKind.DOCUMENT))
        if len(weights) not in (tokens := len(self._vocabulary.tokens), len(row)):
            raise BadModelFolder(
                folder.path,
                f"{QUERY_WEIGHTS} has {counted(len(weights), 'weight')}, and the tokenizer {counted(tokens, 'token')};"
                " they are of two models: export it again",
            )
        return weights

    def tokenize_texts(self, texts: Sequence[str], kind: TextKind) -> list[TokenSequence]:
        """Builds `[CLS] prefix text [SEP]`, with the prefix from the model's training for this kind of text."""
        return [only for (only,) in self.windows(texts, kind, 1)]

    def windows(self, texts: Sequence[str], kind: TextKind, max_windows: int) -> list[list[TokenSequence]]:
        """Same as `tokenize_texts`, for each window of each text; the first begins with the prefix."""
        prefix = self._toml.query_prefix if kind is TextKind.QUERY else self._toml.document_prefix
        return self._tokenizer.single_windows([prefix + text for text in texts], max_windows)

    def sparse_rows(self, sequences: Sequence[TokenSequence], kind: TextKind) -> list[FloatArray]:
        """Returns a row per text, the heaviest token first."""
        is_query = kind is TextKind.QUERY
        if is_query and self._query_weights is not None:
            weights = [_of_present(each, self._query_weights) for each in sequences]
        else:
            weights = list(self._session.run(sequences))
        most = self._toml.query_terms if is_query else self._toml.document_terms
        return [heaviest(each, self._vocabulary.own, most) for each in weights]

    def sparse_vector(self, row: FloatArray) -> SparseVector:
        """Returns a row with the tokens as strings."""
        token_ids = tuple(row[0].astype(np.int64).tolist())
        return SparseVector(
            token_ids, tuple(map(self._vocabulary.tokens.__getitem__, token_ids)), tuple(row[1].tolist())
        )


def heaviest(weights: FloatArray, own: npt.NDArray[np.bool_], most: int) -> FloatArray:
    """Returns the row of at most `most` tokens of (vocabulary,) `weights`, among those that are `own` of texts.

    Weights are at most LARGEST, and those up to SMALLEST are left out. Ties keep the order of the vocabulary. A weight
    that is not finite remains, for the caller to refuse.

    >>> heaviest(np.array([9.0, 0.5, 0.0, 2.0]), np.array([False, True, True, True]), 5).tolist()
    [[3.0, 1.0], [2.0, 0.5]]
    """
    weights = weights[: len(own)]
    found = np.flatnonzero(own[: len(weights)] & ~(weights <= SMALLEST))
    ordered = np.where(np.isnan(weights[found]), -np.inf, -weights[found])  # what is no number comes first, to be seen
    best = found[np.argsort(ordered, kind="stable")[:most]]
    bounded = np.where(np.isfinite(weights[best]), np.minimum(weights[best], LARGEST), weights[best])
    return np.stack([best.astype(np.float32), bounded.astype(np.float32)])


class SpladeReranker(PairReranker):
    """Relevance scores are dot products of the query's and the passage's weights, as the engine computes them."""

    def __init__(self, encoder: SparseEncoder) -> None:
        self.info = encoder.info
        self.batches = encoder.batches
        self.encoder = encoder
        # Caches a function, not a method of this object: a cycle would keep an unloaded model in memory for a while.
        self._query_row = lru_cache(maxsize=QUERIES_AT_HAND)(partial(_encode_query, encoder))

    def windows(self, query: str, passages: Sequence[str], max_windows: int) -> list[list[Pair]]:
        """Tokenises query and passage separately, each with the whole context."""
        (head,) = self.encoder.tokenize_texts([query], TextKind.QUERY)
        found = self.encoder.windows(passages, TextKind.DOCUMENT, max_windows)
        return [[Pair(sequence, head) for sequence in sequences] for sequences in found]

    def score(self, pairs: Sequence[Pair]) -> FloatArray:
        """Returns (n,) dot products; pairs of several queries may be in one batch."""
        passages = self.encoder.sparse_rows([pair.sequence for pair in pairs], TextKind.DOCUMENT)
        queries = [self._query_row(pair.query) for pair in pairs]
        return np.array([_dot(*both) for both in zip(queries, passages, strict=True)], dtype=np.float32)


def _encode_query(encoder: SparseEncoder, query: TokenSequence) -> FloatArray:
    return encoder.sparse_rows([query], TextKind.QUERY)[0]


def _dot(query: FloatArray, passage: FloatArray) -> float:
    if not (np.isfinite(query[1]).all() and np.isfinite(passage[1]).all()):
        return math.nan
    _, ours, theirs = np.intersect1d(query[0], passage[0], assume_unique=True, return_indices=True)
    return float(query[1][ours].astype(np.float64) @ passage[1][theirs].astype(np.float64))


def _of_present(sequence: TokenSequence, weights: FloatArray) -> FloatArray:
    """Returns (vocabulary,) weights: those of the tokens of the text, however often they occur."""
    present = np.zeros_like(weights)
    ids = list({each for each in sequence.token_ids if each < len(weights)})
    present[ids] = weights[ids]
    return present


def _query_weights(folder: ModelFolder, toml: SpladeToml) -> FloatArray:
    path = folder.path / QUERY_WEIGHTS
    if not path.is_file():
        raise BadModelFolder(folder.path, f"{QUERY_WEIGHTS} is missing")
    if sha256(path).hex() != toml.query_weights:
        raise BadModelFolder(
            folder.path, f"{QUERY_WEIGHTS} is not the one that model.toml names; fetch the model again"
        )
    try:
        weights: FloatArray = np.load(path, allow_pickle=False).astype(np.float32)
    except (ValueError, EOFError, AttributeError) as error:  # no array, an empty file, an archive of arrays
        raise BadModelFolder(folder.path, f"{QUERY_WEIGHTS} cannot be read: {error}") from error
    if weights.ndim != 1 or not np.isfinite(weights).all():
        raise BadModelFolder(folder.path, f"{QUERY_WEIGHTS} is not one finite weight for each token")
    return weights


def variants(path: Path, wanted: Wanted) -> Sequence[Variant]:
    """The kind `splade`: it makes sparse vectors, and reranks by their dot products."""
    return onnx_variants(path, SpladeToml, wanted, _load)


def _load(placed: Placed, toml: SpladeToml) -> LoadedModel:
    encoder = SpladeEncoder(placed, toml)
    return LoadedModel(encoder.info, SpladeReranker(encoder), sparse_encoder=encoder)
