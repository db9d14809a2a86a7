"""Runs batches on a few threads, off the event loop: requests take turns, and what does not fit is refused at once."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from sidecar.batching.queue import cut_batches
from sidecar.errors import Overloaded

FloatArray = npt.NDArray[np.float32]


class Sized(Protocol):
    """An input of a model; its length in tokens is what the queue counts."""

    def __len__(self) -> int: ...


Input = TypeVar("Input", bound=Sized)


@dataclass(frozen=True)
class Computed:
    """A row for each input, in the order of the inputs, and how long they waited and ran."""

    rows: list[FloatArray]
    queue_ms: float
    compute_ms: float


@dataclass(eq=False)
class _Job(Generic[Input]):
    """One request: the batches that wait, and the rows that are ready."""

    inputs: Sequence[Input]
    compute: Callable[[Sequence[Input]], FloatArray]
    batches: deque[list[int]]
    rows: dict[int, FloatArray] = field(default_factory=dict)
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    started_at: float | None = None

    def tokens(self, batch: Sequence[int]) -> int:
        return sum(len(self.inputs[index]) for index in batch)


class Worker:
    """Computes `threads` batches at once, each on a core. To be used from one event loop.

    Waiting requests take turns, a batch each, so that encoding one query does not wait behind a thousand passages.
    Whole requests are admitted, while the tokens that wait, theirs included, stay within `max_queue_tokens`; one that
    is larger by itself is admitted when nothing waits.
    """

    def __init__(self, *, threads: int, max_queue_tokens: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="batch")
        self._threads = threads
        self._idle = threads
        self._max_queue_tokens = max_queue_tokens
        self._waiting: deque[_Job[Any]] = deque()
        self._queued_tokens = 0
        self._computed_tokens = 0
        self._busy_s = 0.0

    async def run(
        self, inputs: Sequence[Input], compute: Callable[[Sequence[Input]], FloatArray], *, max_batch_tokens: int
    ) -> Computed:
        """Compute a row for each input. When the caller is cancelled, batches that have not begun never do."""
        if not inputs:
            return Computed([], 0.0, 0.0)
        lengths = [len(one) for one in inputs]
        self._admit(sum(lengths))
        job = _Job(inputs, compute, deque(cut_batches(lengths, max_batch_tokens=max_batch_tokens)))
        queued_at = time.perf_counter()
        self._waiting.append(job)
        self._start_batches()
        try:
            await job.done
        finally:
            self._forget(job)
        started_at = job.started_at or queued_at
        rows = [job.rows[index] for index in range(len(inputs))]
        return Computed(rows, 1000 * (started_at - queued_at), 1000 * (time.perf_counter() - started_at))

    def close(self) -> None:
        """Wait for the batches that run and end the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _admit(self, tokens: int) -> None:
        if self._waiting and self._queued_tokens + tokens > self._max_queue_tokens:
            seconds = self._queued_tokens * self._busy_s / (self._threads * max(1, self._computed_tokens))
            raise Overloaded(tokens, self._queued_tokens, self._max_queue_tokens, max(1, math.ceil(seconds)))
        self._queued_tokens += tokens

    def _start_batches(self) -> None:
        """Give every idle thread the next batch of the request whose turn it is."""
        while self._idle and self._waiting:
            job = self._waiting.popleft()
            batch = job.batches.popleft()
            if job.batches:
                self._waiting.append(job)
            tokens = job.tokens(batch)
            self._queued_tokens -= tokens
            self._idle -= 1
            job.started_at = job.started_at or time.perf_counter()
            inputs = [job.inputs[index] for index in batch]
            running = asyncio.get_running_loop().run_in_executor(self._pool, _timed, job.compute, inputs)
            running.add_done_callback(partial(self._finish_batch, job, batch, tokens))

    def _finish_batch(
        self, job: _Job[Any], batch: Sequence[int], tokens: int, ran: asyncio.Future[tuple[FloatArray, float]]
    ) -> None:
        self._idle += 1
        if ran.cancelled():  # the pool was closed before the batch began
            job.done.cancel()
            return
        error = ran.exception()
        if error is not None:
            self._forget(job)
            if not job.done.done():
                job.done.set_exception(error)
        else:
            rows, seconds = ran.result()
            self._computed_tokens += tokens
            self._busy_s += seconds
            job.rows.update(zip(batch, rows, strict=True))
            if len(job.rows) == len(job.inputs) and not job.done.done():
                job.done.set_result(None)
        self._start_batches()

    def _forget(self, job: _Job[Any]) -> None:
        """Drop what of a request has not begun: it is complete, failed, or its caller is gone."""
        if job in self._waiting:
            self._waiting.remove(job)
        self._queued_tokens -= sum(job.tokens(batch) for batch in job.batches)
        job.batches.clear()


def _timed(compute: Callable[[Sequence[Any]], FloatArray], inputs: Sequence[Any]) -> tuple[FloatArray, float]:
    started_at = time.perf_counter()
    return compute(inputs), time.perf_counter() - started_at
