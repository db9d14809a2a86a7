"""What the sidecar does, whatever the wire: check the request, tokenise, compute in batches, check, sort, trim."""

import asyncio
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sidecar.batching.worker import Computed, Worker
from sidecar.errors import BadScore, InvalidArgument
from sidecar.registry import Models
from sidecar.types import (
    Embedding,
    EncodeRequest,
    EncodeResult,
    RelevanceScore,
    RerankRequest,
    RerankResult,
    ScoreType,
    TextKind,
    Timings,
)

ALONE = 1  # a token budget that no two texts share


class RerankService:
    """Scores passages and encodes texts with the loaded models."""

    def __init__(self, models: Models, worker: Worker, *, max_batch_tokens: int) -> None:
        self.models = models
        self._worker = worker
        self._max_batch_tokens = max_batch_tokens

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """Score every passage; best first, equal scores in the order of the request, the first `top_k` of them."""
        reranker = self.models.get(request.model).reranker
        _require_text("query", request.query)
        started_at = time.perf_counter()
        texts = [passage.text for passage in request.passages]
        pairs = await asyncio.to_thread(reranker.tokenize, request.query, texts)
        tokenized_at = time.perf_counter()
        computed = await self._worker.run(pairs, reranker.score, max_batch_tokens=self._budget(reranker.batches))
        raw = _finite("candidates", reranker.info.name, computed.rows)
        scores = raw if request.score_type is ScoreType.RAW else sigmoid(raw)
        found = [
            RelevanceScore(request.passages[i].passage_id, i, float(scores[i]), pairs[i].sequence.truncated)
            for i in np.argsort(-raw, kind="stable").tolist()
            if request.min_score is None or scores[i] >= request.min_score
        ]
        timings = _timings(tokenized_at - started_at, computed)
        return RerankResult(tuple(found[: request.top_k or None]), reranker.info, timings)

    async def encode(self, request: EncodeRequest) -> EncodeResult:
        """One unit vector a text, in the order of the request."""
        encoder = self.models.encoder(request.model)
        if request.kind is TextKind.QUERY:
            for index, text in enumerate(request.texts):
                _require_text(f"texts[{index}]", text)
        started_at = time.perf_counter()
        sequences = await asyncio.to_thread(encoder.tokenize_texts, request.texts, request.kind)
        tokenized_at = time.perf_counter()
        computed = await self._worker.run(sequences, encoder.embed, max_batch_tokens=self._budget(encoder.batches))
        vectors = _finite("texts", encoder.info.name, computed.rows)
        embeddings = [
            Embedding(tuple(vector), sequence.truncated)
            for vector, sequence in zip(vectors.tolist(), sequences, strict=True)
        ]
        return EncodeResult(tuple(embeddings), encoder.info, _timings(tokenized_at - started_at, computed))

    def _budget(self, batches: bool) -> int:  # noqa: FBT001
        return self._max_batch_tokens if batches else ALONE


def sigmoid(raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-raw)), written so that no exponential overflows."""
    return np.asarray(0.5 * (1 + np.tanh(raw / 2)))


def _require_text(field: str, text: str) -> None:
    if not text.strip():
        raise InvalidArgument(field, "is empty; send at least one word")


def _finite(field: str, model: str, rows: Sequence[npt.ArrayLike]) -> npt.NDArray[np.float64]:
    values = np.asarray(rows, dtype=np.float64)
    for index, row in enumerate(values):
        if not np.isfinite(row).all():
            raise BadScore(f"model {model} returned a number that is not finite for {field}[{index}]")
    return values


def _timings(tokenize_s: float, computed: Computed) -> Timings:
    return Timings(1000 * tokenize_s, computed.queue_ms, computed.compute_ms)
