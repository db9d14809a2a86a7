"""What the sidecar does, whatever the wire: check the request, compute what is missing, sort, trim."""

from collections.abc import Sequence
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from sidecar.batching.worker import BatchTotals, Worker
from sidecar.cache import RowCache
from sidecar.computing import Computer, Work
from sidecar.errors import InvalidArgument
from sidecar.keys import text_keys
from sidecar.registry import Models
from sidecar.rerankers.base import Pair
from sidecar.runtime.tokenizer import TokenSequence
from sidecar.types import (
    ChunkScore,
    Embedding,
    EncodeRequest,
    EncodeResult,
    RelevanceScore,
    RerankRequest,
    RerankResult,
    ScoreType,
    TextKind,
)


class RerankService:
    """Scores passages and encodes texts with the loaded models."""

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
        reranker = self.models.get(request.model).reranker
        _require_text("query", request.query)
        texts = [passage.text for passage in request.passages]
        chunks = 1 if request.chunk_score is ChunkScore.FIRST else request.max_chunks_per_document
        together = np.mean if chunks > 1 and request.chunk_score is ChunkScore.MEAN else np.max
        kind = "score" if request.truncate else "score of the whole"
        keys = text_keys(reranker.info, kind, str(chunks), together.__name__, request.query, texts=texts)

        def windows(wanted: Sequence[str]) -> list[list[Pair]]:
            found = reranker.windows(request.query, wanted, chunks)
            if not request.truncate:
                _require_whole("query", cut=any(pair.query_truncated for pairs in found for pair in pairs))
                for text, pairs in zip(wanted, found, strict=True):
                    _require_whole(f"candidates[{texts.index(text)}]", cut=pairs[0].truncated)
            return found

        work = Work(
            "candidates",
            reranker.info,
            reranker.batches,
            windows=windows,
            compute=reranker.score,
            together=together,
            query=request.query,
            max_windows=chunks,
            deadline=request.deadline,
            best_effort=request.best_effort,
        )
        rows, timings = await self._computer.rows(work, keys, texts)
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
        kind = "embed" if request.truncate else "embed the whole"
        keys = text_keys(encoder.info, kind, request.kind.value, texts=request.texts)

        def windows(wanted: Sequence[str]) -> list[list[TokenSequence]]:
            found = encoder.tokenize_texts(wanted, request.kind)
            if not request.truncate:
                for text, sequence in zip(wanted, found, strict=True):
                    _require_whole(f"texts[{request.texts.index(text)}]", cut=sequence.truncated)
            return [[sequence] for sequence in found]

        work = Work(
            "texts",
            encoder.info,
            encoder.batches,
            windows=windows,
            compute=encoder.embed,
            together=itemgetter(0),
            deadline=request.deadline,
        )
        rows, timings = await self._computer.rows(work, keys, request.texts)
        embeddings = [Embedding(tuple(rows[key].values.tolist()), rows[key].truncated) for key in keys]
        return EncodeResult(tuple(embeddings), encoder.info, timings, sum(rows[key].tokens for key in keys))


def sigmoid(raw: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 / (1 + exp(-raw)), written so that no exponential overflows."""
    return np.asarray(0.5 * (1 + np.tanh(raw / 2)))


def _require_whole(field: str, *, cut: bool) -> None:
    if cut:
        raise InvalidArgument(field, "is longer than the model reads; shorten it, or allow it to be cut")


def _require_text(field: str, text: str) -> None:
    if not text.strip():
        raise InvalidArgument(field, "is empty; send at least one word")
