"""What the sidecar does, whatever the wire: check the request, tokenise, compute in batches, check, sort, trim."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from sidecar.batching.queue import estimate_tokens
from sidecar.batching.worker import BatchTotals, Worker
from sidecar.cache import Row, RowCache
from sidecar.errors import BadScore, InvalidArgument
from sidecar.keys import text_keys
from sidecar.registry import Models
from sidecar.rerankers.base import Pair
from sidecar.runtime.tokenizer import TokenSequence
from sidecar.types import (
    Embedding,
    EncodeRequest,
    EncodeResult,
    ModelInfo,
    RelevanceScore,
    RerankRequest,
    RerankResult,
    ScoreType,
    TextKind,
    Timings,
)

ALONE = 1  # a token budget that no two texts share

FloatArray = npt.NDArray[np.float32]
Input = TypeVar("Input", Pair, TokenSequence)


@dataclass(frozen=True)
class _Work(Generic[Input]):
    """What a model is to do with the texts of a request; `field` is their name there."""

    field: str
    model: ModelInfo
    batches: bool
    windows: Callable[[Sequence[str]], list[list[Input]]]
    compute: Callable[[Sequence[Input]], FloatArray]
    query: str = ""
    deadline: float | None = None
    best_effort: bool = False
    max_windows: int = 1


class RerankService:
    """Scores passages and encodes texts with the loaded models."""

    def __init__(self, models: Models, worker: Worker, *, max_batch_tokens: int, score_cache_bytes: int = 0) -> None:
        self.models = models
        self.worker = worker
        self.cache = RowCache(score_cache_bytes)
        self._max_batch_tokens = max_batch_tokens

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
        reranker = self.models.get(request.model).reranker
        _require_text("query", request.query)
        texts = [passage.text for passage in request.passages]
        chunks = request.max_chunks_per_document
        keys = text_keys(reranker.info, "score", str(chunks), request.query, texts=texts)
        work = _Work(
            "candidates",
            reranker.info,
            reranker.batches,
            partial(reranker.windows, request.query, max_windows=chunks),
            reranker.score,
            request.query,
            request.deadline,
            request.best_effort,
            chunks,
        )
        rows, timings = await self._rows(work, keys, texts)
        scored = [index for index, key in enumerate(keys) if key in rows]
        raw = np.array([rows[keys[index]].values for index in scored], dtype=np.float64)
        scores = raw if request.score_type is ScoreType.RAW else sigmoid(raw)
        found = [
            RelevanceScore(
                request.passages[index].passage_id,
                index,
                float(score),
                rows[keys[index]].truncated,
                rows[keys[index]].best_chunk if chunks > 1 else None,
            )
            for index, score in ((scored[i], scores[i]) for i in np.argsort(-raw, kind="stable").tolist())
            if request.min_score is None or score >= request.min_score
        ]
        complete = len(scored) == len(texts)
        tokens = sum(rows[keys[index]].tokens for index in scored)
        return RerankResult(tuple(found[: request.top_k or None]), reranker.info, timings, complete, tokens)

    async def encode(self, request: EncodeRequest) -> EncodeResult:
        """One unit vector a text, in the order of the request."""
        encoder = self.models.encoder(request.model)
        if request.kind is TextKind.QUERY:
            for index, text in enumerate(request.texts):
                _require_text(f"texts[{index}]", text)
        keys = text_keys(encoder.info, "embed", request.kind.value, texts=request.texts)

        def windows(texts: Sequence[str]) -> list[list[TokenSequence]]:
            return [[sequence] for sequence in encoder.tokenize_texts(texts, request.kind)]

        work = _Work("texts", encoder.info, encoder.batches, windows, encoder.embed, deadline=request.deadline)
        rows, timings = await self._rows(work, keys, request.texts)
        embeddings = [Embedding(tuple(rows[key].values.tolist()), rows[key].truncated) for key in keys]
        return EncodeResult(tuple(embeddings), encoder.info, timings, sum(rows[key].tokens for key in keys))

    async def _rows(
        self, work: _Work[Input], keys: Sequence[bytes], texts: Sequence[str]
    ) -> tuple[dict[bytes, Row], Timings]:
        """A row for each different key, from the cache or computed; with `best_effort`, for those that are ready."""
        wanted = dict(zip(keys, texts, strict=True))
        rows = {key: row for key in wanted if (row := self.cache.get(key)) is not None}
        missing = {key: text for key, text in wanted.items() if key not in rows}
        if not missing:
            return rows, Timings(0.0, 0.0, 0.0)
        computed, timings = await self._compute(work, missing)
        for key, row in computed.items():
            if not np.isfinite(row.values).all():
                where = f"{work.field}[{keys.index(key)}]"
                raise BadScore(f"model {work.model.name} returned a number that is not finite for {where}")
        for key, row in computed.items():
            self.cache.put(key, row)
        return rows | computed, timings

    async def _compute(self, work: _Work[Input], wanted: Mapping[bytes, str]) -> tuple[dict[bytes, Row], Timings]:
        """Admit, tokenise, run."""
        texts = list(wanted.values())
        estimate = estimate_tokens(texts, work.max_windows * work.model.max_tokens, work.query)
        admit = self.worker.admissions.admit
        started_at = time.monotonic()
        with admit(estimate, model=work.model.name, deadline=work.deadline, best_effort=work.best_effort) as admission:
            windows = dict(zip(wanted, await asyncio.to_thread(work.windows, texts), strict=True))
            inputs = {(key, number): each for key, found in windows.items() for number, each in enumerate(found)}
            tokenize_ms = 1000 * (time.monotonic() - started_at)
            budget = self._max_batch_tokens if work.batches else ALONE
            computed = await self.worker.run(admission, inputs, work.compute, max_batch_tokens=budget)
        rows = {}
        for key, found in windows.items():
            values = [computed.rows[key, number] for number in range(len(found)) if (key, number) in computed.rows]
            if len(values) == len(found):
                best = int(np.argmax(values)) if len(found) > 1 else 0
                rows[key] = Row(values[best], found[best].truncated, sum(map(len, found)), best)
        return rows, Timings(tokenize_ms, computed.queue_ms, computed.compute_ms)


def sigmoid(raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-raw)), written so that no exponential overflows."""
    return np.asarray(0.5 * (1 + np.tanh(raw / 2)))


def _require_text(field: str, text: str) -> None:
    if not text.strip():
        raise InvalidArgument(field, "is empty; send at least one word")
