"""The ways to compute scores that the kinds of rerankers choose from, on one worker and one cache."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.rerankers.base import PairReranker, Scored
from hybridrank.sidecar.scoring.block_scoring import Scores, score_blocks
from hybridrank.sidecar.scoring.computer import Computer
from hybridrank.sidecar.scoring.text_scoring import score_texts
from hybridrank.sidecar.types import CallTimings, RerankRequest

__all__ = ["ScoringTools"]

Value = TypeVar("Value")


class ScoringTools:
    """Implements `rerankers.base.Scoring`."""

    def __init__(self, computer: Computer, worker: Worker) -> None:
        self.computer = computer
        self._worker = worker

    async def texts(self, request: RerankRequest, reranker: PairReranker) -> Scored:
        """Scores passages by their texts."""
        return await score_texts(request, reranker, self.computer)

    async def blocks(
        self,
        request: RerankRequest,
        model: str,
        values: Sequence[Value],
        tokens: Sequence[float],
        compute: Callable[[Sequence[Value]], Scores],
        *,
        pace: str,
    ) -> tuple[dict[int, list[float]], CallTimings]:
        """Scores values that take microseconds each."""
        return await score_blocks(request, model, values, tokens, compute, self._worker, pace=pace)
