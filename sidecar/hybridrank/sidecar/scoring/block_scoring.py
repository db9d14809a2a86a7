"""Scores candidates that take microseconds each, in blocks, because a single one is not worth a thread switch.

They are not cached or deduplicated: that would take longer than computing them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.errors import BadScore
from hybridrank.sidecar.types import CallTimings, RerankRequest

__all__ = ["score_blocks"]

Value = TypeVar("Value")
Scores = npt.NDArray[np.floating[Any]]

# A request is split over the threads, into blocks no smaller than worth a thread switch, and no larger than a batch of
# texts, so that neither delays the other for longer.
MIN_BLOCK_TOKENS = 32
MAX_BLOCK_TOKENS = 512
ALONE = 1  # a token budget that no two blocks share


@dataclass(frozen=True, eq=False)
class Block(Generic[Value]):
    """Neighbours in a request, from the position `start` on, that are computed in one pass; equal to no other block."""

    start: int
    values: Sequence[Value]
    tokens: int

    def __len__(self) -> int:
        """Size of the block in the queue."""
        return self.tokens


async def score_blocks(
    request: RerankRequest,
    model: str,
    values: Sequence[Value],
    tokens: Sequence[float],
    compute: Callable[[Sequence[Value]], Scores],
    worker: Worker,
    *,
    pace: str,
) -> tuple[dict[int, list[float]], CallTimings]:
    """Returns, by position in the request, the scores that `compute` returned; with `best_effort`, those ready in time.

    `compute` returns (n, columns), the score first. `tokens` is the size of each value in the queue, comparable with
    the tokens of texts, and `pace` the name under which their speed is recorded. Raises BadScore for a score that is
    not finite, and the worker's errors for lack of room or time.
    """

    def alone(blocks: Sequence[Block[Value]]) -> Sequence[Scores]:
        return [compute(block.values) for block in blocks]

    blocks = list(_cut(values, tokens, worker.threads))
    admit = worker.admissions.admit
    with admit(sum(map(len, blocks)), model=pace, deadline=request.deadline, best_effort=request.best_effort) as found:
        computed = await worker.run(found, {each: each for each in blocks}, alone, max_batch_tokens=ALONE)
    scores: dict[int, list[float]] = {}
    for block, rows in computed.rows.items():
        if (bad := np.flatnonzero(~np.isfinite(rows[:, 0]))).size:
            raise BadScore(model, f"candidates[{block.start + bad[0]}]")
        scores.update(enumerate(rows.tolist(), block.start))
    return scores, CallTimings(0.0, computed.queue_ms, computed.compute_ms)


def _cut(values: Sequence[Value], tokens: Sequence[float], threads: int) -> Iterator[Block[Value]]:
    """Yields blocks of about one thread's share each; a larger value has its own block."""
    size = min(max(math.ceil(sum(tokens) / threads), MIN_BLOCK_TOKENS), MAX_BLOCK_TOKENS)
    start, taken = 0, 0.0
    for place, more in enumerate(tokens):
        if place > start and taken + more > size:
            yield Block(start, values[start:place], math.ceil(taken))
            start, taken = place, 0.0
        taken += more
    if values:
        yield Block(start, values[start:], math.ceil(taken))
