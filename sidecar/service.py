"""What the sidecar does, whatever the wire: find the model, compute what is missing, sort, trim."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from sidecar.batching.worker import BatchTotals, Worker
from sidecar.cache import Row, RowCache
from sidecar.computing import Computer
from sidecar.errors import InvalidArgument
from sidecar.feature_scoring import score_rows
from sidecar.registry import LoadedModel, Models
from sidecar.rerankers.colbert import ColbertReranker, TokenEncoder
from sidecar.rerankers.lambdamart import LambdaMartReranker
from sidecar.runtime import token_vectors
from sidecar.runtime.token_codec import CODEC, TokenCodec
from sidecar.stored_scoring import score_stored
from sidecar.types import (
    Embedding,
    EncodeRequest,
    EncodeResult,
    RelevanceScore,
    RerankRequest,
    RerankResult,
    ScoreType,
)
from sidecar.work import encode_work, rerank_work, token_work


class RerankService:
    """Scores passages, by text or features, and encodes texts with the loaded models."""

    def __init__(self, models: Models, worker: Worker, *, max_batch_tokens: int, score_cache_bytes: int = 0) -> None:
        self.models = models
        self.worker = worker
        self.cache = RowCache(score_cache_bytes)
        self._computer = Computer(worker, self.cache, max_batch_tokens=max_batch_tokens)

    @property
    def queued_tokens(self) -> int:
        """Tokens that were let in and have not begun."""
        return self.worker.admissions.queued_tokens

    @property
    def batch_totals(self) -> BatchTotals:
        """What went to the models since the start."""
        return self.worker.totals

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """Score every passage; best first, equal scores in the order of the request, the first `top_k` of them.

        With `best_effort`, those that were not scored when the deadline neared are missing.
        """
        model = self.models.get(request.model)
        if isinstance(model.reranker, LambdaMartReranker):
            scores, timings = await score_rows(request, model.reranker, self.worker)
            tokens = 0
        elif any(passage.token_vectors for passage in request.passages):
            scores, timings = await score_stored(request, model, self.worker)
            tokens = 0
        else:
            work = rerank_work(request, model.reranker)
            rows, timings = await self._computer.rows(work)
            found = [(index, rows[key]) for index, key in enumerate(work.keys) if key in rows]
            scores = [raw_score(request, index, row) for index, row in found]
            tokens = sum(row.tokens for _, row in found)
        complete = len(scores) == len(request.passages)
        return RerankResult(ranked(request, scores), model.info, timings, complete, tokens)

    async def encode(self, request: EncodeRequest) -> EncodeResult:
        """One unit vector a text, or packed ones of its tokens, in the order of the request."""
        if request.token_vectors:
            return await self._encode_tokens(request)
        work = encode_work(request, self.models.encoder(request.model))
        rows, timings = await self._computer.rows(work)
        embeddings = [Embedding(tuple(rows[key].values.tolist()), rows[key].truncated) for key in work.keys]
        return EncodeResult(tuple(embeddings), work.model, timings, sum(rows[key].tokens for key in work.keys))

    async def _encode_tokens(self, request: EncodeRequest) -> EncodeResult:
        model = self.models.get(request.model)
        encoder, codec = token_encoder(model, request.token_vectors)
        work = token_work(request, encoder)
        rows, timings = await self._computer.rows(work)
        packed = await asyncio.to_thread(_packed, codec, rows)
        return EncodeResult(
            tuple(packed[key] for key in work.keys), model.info, timings, sum(rows[key].tokens for key in work.keys)
        )


def token_encoder(model: LoadedModel, wanted: str) -> tuple[TokenEncoder, TokenCodec]:
    """What makes token vectors and packs them; InvalidArgument for a model that has none, or not that codec."""
    info = model.info
    if not isinstance(model.reranker, ColbertReranker):
        raise InvalidArgument("model", f"{info.name} is a {info.kind}, which makes no token vectors")
    for name, codec in model.codecs.items():
        if name == wanted:
            return model.reranker.encoder, codec
    problem = f"is {wanted}, but {info.name} packs by {', '.join(model.codecs)}"
    raise InvalidArgument("token_vectors", f"{problem}; `hybridrank colbert train-codec` makes a {CODEC} for it")


def _packed(codec: TokenCodec, rows: Mapping[bytes, Row]) -> dict[bytes, Embedding]:
    return {
        key: Embedding((), row.truncated, token_vectors.write(codec, row.values, truncated=row.truncated))
        for key, row in rows.items()
    }


def raw_score(request: RerankRequest, index: int, row: Row) -> RelevanceScore:
    """What the row says of the passage at `index`."""
    return RelevanceScore(request.passages[index].passage_id, index, float(row.values), row.truncated, row.best_chunk)


def ranked(request: RerankRequest, scored: Sequence[RelevanceScore]) -> tuple[RelevanceScore, ...]:
    """Raw scores, in the order of the request, as the caller wants to see them."""
    raw = np.array([each.relevance_score for each in scored], dtype=np.float64)
    order = np.argsort(-raw, kind="stable")
    best_first = [scored[place] for place in order]
    if request.score_type is ScoreType.SIGMOID:
        squashed = sigmoid(raw[order]).tolist()
        best_first = [replace(each, relevance_score=score) for each, score in zip(best_first, squashed, strict=True)]
    least = -math.inf if request.min_score is None else request.min_score
    return tuple(each for each in best_first if each.relevance_score >= least)[: request.top_k or None]


def sigmoid(raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-raw)), written so that no exponential overflows."""
    return np.asarray(0.5 * (1 + np.tanh(raw / 2)))
