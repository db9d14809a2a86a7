"""What the sidecar does, whatever the wire: find the model, compute what is missing, sort, trim."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sidecar.batching.worker import BatchTotals, Worker
from sidecar.cache import Row, RowCache
from sidecar.computing import Computer
from sidecar.feature_scoring import score_rows
from sidecar.registry import Models
from sidecar.rerankers.lambdamart import LambdaMartReranker
from sidecar.types import (
    Embedding,
    EncodeRequest,
    EncodeResult,
    RelevanceScore,
    RerankRequest,
    RerankResult,
    ScoreType,
)
from sidecar.work import encode_work, rerank_work


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
            scored, timings = await score_rows(request, model.reranker, self.worker)
        else:
            work = rerank_work(request, model.reranker)
            rows, timings = await self._computer.rows(work)
            scored = {index: rows[key] for index, key in enumerate(work.keys) if key in rows}
        tokens = sum(row.tokens for row in scored.values())
        return RerankResult(ranked(request, scored), model.info, timings, len(scored) == len(request.passages), tokens)

    async def encode(self, request: EncodeRequest) -> EncodeResult:
        """One unit vector a text, in the order of the request."""
        work = encode_work(request, self.models.encoder(request.model))
        rows, timings = await self._computer.rows(work)
        embeddings = [Embedding(tuple(rows[key].values.tolist()), rows[key].truncated) for key in work.keys]
        return EncodeResult(tuple(embeddings), work.model, timings, sum(rows[key].tokens for key in work.keys))


def ranked(request: RerankRequest, scored: dict[int, Row]) -> tuple[RelevanceScore, ...]:
    """The passages that were scored, by their index in the request, as the caller wants to see them."""
    raw = np.array([row.values for row in scored.values()], dtype=np.float64)
    scores = raw if request.score_type is ScoreType.RAW else sigmoid(raw)
    indices: Sequence[int] = tuple(scored)
    found = [
        RelevanceScore(
            request.passages[index].passage_id,
            index,
            score,
            scored[index].truncated,
            scored[index].best_chunk,
            tuple(scored[index].contributions),
        )
        for index, score in ((indices[place], float(scores[place])) for place in np.argsort(-raw, kind="stable"))
        if request.min_score is None or score >= request.min_score
    ]
    return tuple(found[: request.top_k or None])


def sigmoid(raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-raw)), written so that no exponential overflows."""
    return np.asarray(0.5 * (1 + np.tanh(raw / 2)))
