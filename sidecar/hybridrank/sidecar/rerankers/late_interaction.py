"""Late interaction: query and passage are encoded separately; each query token is matched to its best passage token."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import pairwise

import numpy as np
import structlog

from hybridrank.common.error_text import os_problem
from hybridrank.model_files import token_vectors
from hybridrank.model_files.arrays import FloatArray
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.model_folder import ModelFolder
from hybridrank.model_files.token_codec import CODEC, BadTokenCodec, Format, ResidualCodec, TokenCodec, codecs_of
from hybridrank.model_files.token_vectors import BadTokenVectors, TokenVectors
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.rerankers.base import Encoder, Pair, PairReranker, Scored, Scoring, TokenEncoder
from hybridrank.sidecar.rerankers.checks import require_query
from hybridrank.sidecar.rerankers.kind import LoadedModel
from hybridrank.sidecar.runtime.maxsim import maxsim, maxsim_of_rows
from hybridrank.sidecar.runtime.tokenizer import TokenSequence
from hybridrank.sidecar.types import ChunkScore, RelevanceScore, RerankRequest, TextKind

__all__ = ["ColbertReranker", "loaded_model"]

log = structlog.get_logger("sidecar")

# A query is encoded with its first batch and reused by the others; so many queries may be in progress at once.
QUERIES_AT_HAND = 64
UNPACKED_TOKENS = 2048  # of stored passages at once: about what stays in the cache of a core during the comparison
NOTHING_TO_MATCH = -1.0  # the lowest mean of cosines: the score of a passage without any token
# By this factor, unpacking and comparing a stored token costs less than encoding one, for the queue and its order.
STORED_TOKENS_A_TOKEN = 64


class ColbertReranker(PairReranker):
    """Relevance scores are means of cosines over query tokens, in [-1, 1] (`runtime/maxsim.py` has the formula).

    Or their sums, as in the published ColBERT: its queries are padded to one length, so their sums share a range.
    It also scores passages whose token vectors are stored in one of the formats `codecs`.
    """

    def __init__(
        self, encoder: TokenEncoder, codecs: Mapping[Format, TokenCodec] | None = None, *, sums: bool = False
    ) -> None:
        self.info = encoder.info
        self.batches = encoder.batches
        self._codecs = codecs or {}
        self._sums = sums
        self.encoder = encoder
        # Caches a function, not a method of this object: a cycle would keep an unloaded model in memory for a while.
        self._query_rows = lru_cache(maxsize=QUERIES_AT_HAND)(partial(_encode_query, encoder))

    def windows(self, query: str, passages: Sequence[str], max_windows: int) -> list[list[Pair]]:
        """Tokenises query and passage separately, each with the whole context.

        Raises InvalidArgument for a query without a token.
        """
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

    def score_stored(
        self, query: TokenSequence, passages: Sequence[TokenVectors], combine: ChunkScore = ChunkScore.MAX
    ) -> FloatArray:
        """Same as `score`, for already encoded passages, whose windows are combined.

        Some thousand tokens of one codec are unpacked at a time.
        """
        rows = self._query_rows(query)
        ends = np.cumsum([each.tokens for each in passages])
        other_codec = np.array([one.codec is not other.codec for one, other in pairwise(passages)], dtype=bool)
        cuts = np.flatnonzero(np.diff(ends // UNPACKED_TOKENS).astype(bool) | other_codec) + 1
        blocks = (passages[start:end] for start, end in pairwise([0, *cuts.tolist(), len(passages)]))
        of_windows = np.concatenate([maxsim_of_rows(rows, *token_vectors.unpack(block)) for block in blocks])
        counts = np.array([len(each.windows) for each in passages])
        of_windows, starts = np.maximum(of_windows, NOTHING_TO_MATCH), np.cumsum([0, *counts[:-1]])
        if combine is ChunkScore.MEAN:
            scores: FloatArray = np.add.reduceat(of_windows, starts) / counts
        else:
            scores = np.maximum.reduceat(of_windows, starts)
        return scores * len(rows) if self._sums else scores

    async def scores(self, request: RerankRequest, scoring: Scoring) -> Scored:
        """Scores texts, or stored token vectors; raises InvalidArgument for those of another model, or damaged ones."""
        if not any(passage.token_vectors for passage in request.passages):
            return await scoring.texts(request, self)
        require_query(request, self.info)
        head = await asyncio.to_thread(self.tokenize_query, request.query)
        passages = await asyncio.to_thread(_read, request, self._codecs, self.info.max_tokens)

        def compute(passages: Sequence[TokenVectors]) -> FloatArray:
            try:
                return self.score_stored(head, passages, request.chunk_score)[:, np.newaxis]
            except BadTokenVectors as error:
                raise InvalidArgument("candidates.token_vectors", str(error)) from error

        name, tokens = self.info.name, [(1 + each.tokens) / STORED_TOKENS_A_TOKEN for each in passages]
        found, timings = await scoring.blocks(request, name, passages, tokens, compute, pace=f"{name} stored")
        scores = [
            RelevanceScore(request.passages[place].passage_id, place, score, passages[place].truncated)
            for place, (score,) in found.items()
        ]
        return Scored(scores, timings)


def loaded_model(
    folder: ModelFolder,
    encoder: TokenEncoder,
    dimensions: int,
    *,
    dense: Encoder | None = None,
    sums: bool = False,
) -> LoadedModel:
    """Returns the model that reranks by this encoder, with the storage formats of its token vectors.

    Raises BadModelFolder for an invalid codec.npz; one of another model or precision is left out.
    """
    path, info, residual = folder.path / CODEC, encoder.info, None
    try:
        codec = ResidualCodec.load(path) if path.is_file() else None
    except (BadTokenCodec, OSError) as error:
        problem = os_problem(error) if isinstance(error, OSError) else str(error)
        raise BadModelFolder(folder.path, problem) from error
    if codec and codec.model_digest == info.digest:
        residual = codec
    elif codec:
        problem = "it was trained on another model or precision; train one on this"
        log.warning("codec.npz left out", model=info.name, problem=problem, trained_on=codec.model_digest)
    codecs = codecs_of(info.digest, dimensions, residual)
    info = replace(info, token_codec=residual.digest if residual else "")
    return LoadedModel(info, ColbertReranker(encoder, codecs, sums=sums), dense, encoder, codecs)


def _encode_query(encoder: TokenEncoder, query: TokenSequence) -> FloatArray:
    return encoder.token_rows([query])[0]


def _read(request: RerankRequest, codecs: Mapping[Format, TokenCodec], max_tokens: int) -> list[TokenVectors]:
    passages = []
    for index, passage in enumerate(request.passages):
        field = f"candidates[{index}].token_vectors"
        if not passage.token_vectors:
            raise InvalidArgument(field, "is empty, though others are not; send texts alone, or vectors for all")
        try:
            found = token_vectors.read(passage.token_vectors, codecs).first(request.max_windows)
        except BadTokenVectors as error:
            raise InvalidArgument(field, str(error)) from error
        if max(found.windows) > max_tokens:
            raise InvalidArgument(field, f"has {max(found.windows)} tokens in a window; the model reads {max_tokens}")
        passages.append(found)
    return passages
