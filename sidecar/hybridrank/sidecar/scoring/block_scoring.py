"""Scores candidates that take microseconds each, so that only blocks of them are worth a turn on a thread.

None is looked up in a cache or told from its equals: that would take longer than to compute it.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.errors import BadScore
from hybridrank.sidecar.types import RerankRequest, Timings

__all__ = ["score_blocks"]

Value = TypeVar("Value")
Scores = npt.NDArray[np.floating[Any]]

# A request is spread over the threads, in blocks no smaller than are worth the way to one and back, nor larger than
# a batch of texts, so that neither holds the other up for longer.
MIN_BLOCK_TOKENS = 32
MAX_BLOCK_TOKENS = 512
ALONE = 1  # a token budget that no two blocks share


@dataclass(frozen=True, eq=False)
class Block(Generic[Value]):
    """Neighbours in a request, from the place `start` on, that are computed in one pass; equal to no other block."""

    start: int
    values: Sequence[Value]
    tokens: int

    def __len__(self) -> int:
        """What the block counts as in the queue."""
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
) -> tuple[dict[int, list[float]], Timings]:
    """By place in the request what `compute` made of its value; with `best_effort`, of those ready in time.

    `compute` returns (n, columns), the score first. `tokens` is what each value counts as in the queue, beside the
    tokens of texts, and `pace` the name under which it is remembered how fast they are. BadScore for one that is not
    finite, and what the worker raises for want of room or time.
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
    return scores, Timings(0.0, computed.queue_ms, computed.compute_ms)


def _cut(values: Sequence[Value], tokens: Sequence[float], threads: int) -> Iterator[Block[Value]]:
    """Blocks of about a thread's share each; a value that is larger has one to itself."""
    size = min(max(math.ceil(sum(tokens) / threads), MIN_BLOCK_TOKENS), MAX_BLOCK_TOKENS)
    start, taken = 0, 0.0
    for place, more in enumerate(tokens):
        if place > start and taken + more > size:
            yield Block(start, values[start:place], math.ceil(taken))
            start, taken = place, 0.0
        taken += more
    if values:
        yield Block(start, values[start:], math.ceil(taken))
