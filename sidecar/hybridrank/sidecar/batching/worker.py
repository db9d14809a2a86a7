"""Runs batches on a few threads, off the event loop: the request that is due first is next, equal inputs run once."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from hybridrank.common.errors import HybridrankError
from hybridrank.sidecar.batching.admission import Admission, Admissions
from hybridrank.sidecar.batching.executor import Executor, FloatArray, Rows, Threads
from hybridrank.sidecar.batching.queue import cut_batches, fit, next_turn
from hybridrank.sidecar.errors import DeadlinePassed


class Sized(Protocol):
    """An input of a model; the queue counts its length in tokens."""

    def __len__(self) -> int: ...


Input = TypeVar("Input", bound=Sized)
Key = TypeVar("Key", bound=Hashable)
Compute = Callable[[Sequence[Input]], Rows]


@dataclass(frozen=True)
class Computed:
    """The row of each key, in the order of the inputs, with their waiting and running time.

    Without `complete`, the deadline was near and unfinished rows are missing.
    """

    rows: dict[Any, FloatArray]
    queue_ms: float
    compute_ms: float
    complete: bool = True


@dataclass
class BatchTotals:
    """Totals since the start: the number of batches of each size, in texts, and their tokens.

    `padded_tokens` counts each text with the length of the longest one in its batch.
    """

    sizes: Counter[int] = field(default_factory=Counter)
    tokens: int = 0
    padded_tokens: int = 0
    stuck: int = 0

    def add(self, lengths: Sequence[int]) -> None:
        """Counts one batch of texts, by their lengths in tokens."""
        self.sizes[len(lengths)] += 1
        self.tokens += sum(lengths)
        self.padded_tokens += max(lengths) * len(lengths)


@dataclass(eq=False)
class _Item:
    """An input in progress, and the requests that need its row. If its batch failed, it is computed `alone`."""

    key: Hashable
    value: Sized
    jobs: "set[_Job]" = field(default_factory=set)
    running: bool = False
    alone: bool = False


@dataclass(eq=False)
class _Job:
    """One request: its waiting batches, and its finished rows."""

    admission: Admission
    compute: Compute[Any]
    items: list[_Item]
    batches: deque[list[_Item]]
    max_batch_tokens: int
    rows: dict[Hashable, FloatArray] = field(default_factory=dict)
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    started_at: float | None = None


@dataclass(frozen=True)
class _Batch:
    """The current batch of a thread, and the requests of its items."""

    jobs: list[_Job]
    items: list[_Item]
    started_at: float

    @property
    def model(self) -> str:
        return self.jobs[0].admission.model


class BatchStuck(HybridrankError, RuntimeError):
    """A batch ran too long and is no longer waited for."""


class Worker:
    """Computes `threads` batches at once, each on one core. Use it from one event loop.

    A request is first admitted (`admissions.admit`) by its estimated tokens, and runs after tokenising. It waits no
    longer than its deadline. An input that several requests wait for (equal keys) is computed once, with the first of
    them. On cores, small batches of several requests go to their model together. Optional work begins when no other
    work waits.
    """

    def __init__(self, *, threads: int, max_queue_tokens: int, executor: Executor | None = None) -> None:
        self.max_queue_tokens = max_queue_tokens
        self.admissions = Admissions(threads=threads, max_queue_tokens=max_queue_tokens)
        self.totals = BatchTotals()
        self._executor = executor or Threads(threads)
        self.threads = threads
        self._idle = threads
        self._running: dict[asyncio.Future[Rows], _Batch] = {}
        self._waiting: list[_Job] = []
        self._items: dict[Hashable, _Item] = {}

    async def run(
        self,
        admission: Admission,
        inputs: Mapping[Key, Input],
        compute: Compute[Input],
        *,
        max_batch_tokens: int,
        max_texts: int | None = None,
    ) -> Computed:
        """Computes a row for each input; inputs with equal keys must have equal rows.

        If the caller is cancelled or the deadline passes, batches that have not begun are dropped. It then raises
        DeadlinePassed, unless the admission is for `best_effort`: that computes the inputs in their order and returns
        the finished rows.
        """
        lengths = [len(value) for value in inputs.values()]
        self.admissions.tokenised(admission, sum(lengths))
        if not inputs:
            return Computed({}, 0.0, 0.0)
        items = [self._items.setdefault(key, _Item(key, value)) for key, value in inputs.items()]
        cut = cut_batches(
            lengths, max_batch_tokens=max_batch_tokens, max_texts=max_texts, in_order=admission.best_effort
        )
        batches = deque([items[index] for index in batch] for batch in cut)
        job = _Job(admission, compute, items, batches, max_batch_tokens)
        for item in items:
            item.jobs.add(job)
        queued_at = time.monotonic()
        self._waiting.append(job)
        self._start_batches()
        try:
            await self._done(job)
        finally:
            self._forget(job)
        ended_at = time.monotonic()
        started_at = job.started_at or queued_at
        rows = {item.key: job.rows[item.key] for item in items if item.key in job.rows}
        return Computed(rows, 1000 * (started_at - queued_at), 1000 * (ended_at - started_at), len(rows) == len(items))

    def give_up(self, older_than_s: float) -> int:
        """Fails the requests whose batches have run for longer, and replaces their threads.

        Returns their number. A thread cannot be stopped: it counts as lost, and its later result is not used.
        """
        now = time.monotonic()
        stuck = [running for running, batch in self._running.items() if now - batch.started_at > older_than_s]
        if not stuck:
            return 0
        self._executor.replace()
        self._idle += len(stuck)
        self.totals.stuck += len(stuck)
        for running in stuck:
            batch = self._running.pop(running)
            self.admissions.running[batch.model] -= _tokens(batch.items)
            for item in batch.items:
                item.running = False
            for job in {*batch.jobs, *(job for item in batch.items for job in item.jobs)}:
                self._forget(job, BatchStuck(f"a batch ran for more than {older_than_s:g} s"))
        self._start_batches()
        return len(stuck)

    def close(self) -> None:
        """Waits for the running batches and ends the threads."""
        self._executor.close()

    async def _done(self, job: _Job) -> None:
        ends_at = job.admission.ends_at
        await asyncio.wait([job.done], timeout=None if ends_at is None else max(0.0, ends_at - time.monotonic()))
        if job.done.done():
            job.done.result()
        elif not job.admission.best_effort:
            raise DeadlinePassed(len(job.rows), len(job.items))

    def _start_batches(self) -> None:
        """Gives every idle thread the next batch of the next request, filled with fitting batches of others."""
        while self._idle and self._waiting:
            job = self._waiting[next_turn([job.admission.due for job in self._waiting])]
            jobs, batch = [job], self._take(job)
            for other in self._alike(job, batch):
                jobs.append(other)
                batch += self._take(other)
            if batch:
                self._start(_Batch(jobs, batch, time.monotonic()))

    def _alike(self, job: _Job, batch: list[_Item]) -> Iterator[_Job]:
        """Yields requests for the same model, by due time, whose next batch fits into this one, which grows meanwhile.

        Yields none if the batch is already half full: there is little to gain.
        """
        if (
            not self._executor.on_cores
            or not batch
            or not fit([len(item.value) for item in batch] * 2, max_batch_tokens=job.max_batch_tokens)
        ):
            return
        for other in sorted(self._waiting, key=lambda waiting: waiting.admission.due):
            alike = other.compute == job.compute and other.admission.optional == job.admission.optional
            if other is not job and alike:
                together = [*batch, *other.batches[0]]
                lengths = [len(item.value) for item in together]
                alone = any(item.alone for item in together)
                if not alone and fit(lengths, max_batch_tokens=job.max_batch_tokens):
                    yield other

    def _take(self, job: _Job) -> list[_Item]:
        """Returns the next batch of a request, without inputs that others have begun; empty if its time is over."""
        expired = self._is_late(job)
        batch = [] if expired else job.batches.popleft()
        if expired or not job.batches:
            self._waiting.remove(job)
        job.admission.tokens -= _tokens(batch)
        batch = [item for item in batch if not item.running and item.key not in job.rows]
        for item in batch:
            item.running = True
        return batch

    def _is_late(self, job: _Job) -> bool:
        """True if the next batch would be useless; for optional work, if it would still run at the end."""
        if (ends_at := job.admission.ends_at) is None:
            return False
        batch_s = self.admissions.batch_s(job.admission, _tokens(job.batches[0]))
        return time.monotonic() + batch_s >= ends_at

    def _start(self, batch: _Batch) -> None:
        self._idle -= 1
        for item in batch.items:
            for waiting in item.jobs:
                waiting.started_at = waiting.started_at or batch.started_at
        values = [item.value for item in batch.items]
        self.totals.add([len(value) for value in values])
        running = self._executor.start(batch.jobs[0].compute, values, _ends_at(batch))
        self._running[running] = batch
        self.admissions.running[batch.model] += _tokens(batch.items)
        running.add_done_callback(self._finish_batch)

    def _finish_batch(self, ran: asyncio.Future[Rows]) -> None:
        batch = self._running.pop(ran, None)
        if batch is None:  # it was abandoned
            ran.cancelled() or ran.exception()
            return
        self._idle += 1
        self.admissions.running[batch.model] -= _tokens(batch.items)
        if ran.cancelled():  # the pool was closed before the batch began
            for waiting in {waiting for item in batch.items for waiting in item.jobs}:
                waiting.done.cancel()
            return
        error = ran.exception()
        if error is not None:
            self._fail(batch, error)
        else:
            if self._executor.on_cores:
                # Until now, not until the thread finished: it idles until the event loop handles it.
                self.admissions.pace.measured(batch.model, _tokens(batch.items), time.monotonic() - batch.started_at)
            for item, row in zip(batch.items, ran.result(), strict=True):
                del self._items[item.key]
                for waiting in item.jobs:
                    waiting.rows[item.key] = row
                    if len(waiting.rows) == len(waiting.items) and not waiting.done.done():
                        waiting.done.set_result(None)
        self._start_batches()

    def _fail(self, batch: _Batch, error: BaseException) -> None:
        """Ends the request whose batch failed; other requests that share its inputs compute them themselves.

        If several requests share the batch, none ends: each computes its own inputs again, so that it fails only by its
        own fault.
        """
        for item in batch.items:
            item.running, item.alone = False, True
        if len(batch.jobs) == 1:
            self._forget(batch.jobs[0], error)
        for item in batch.items:
            for waiting in item.jobs:
                waiting.batches.append([item])
                waiting.admission.tokens += len(item.value)
                if waiting not in self._waiting:
                    self._waiting.append(waiting)
            if not item.jobs and self._items.get(item.key) is item:
                del self._items[item.key]

    def _forget(self, job: _Job, error: BaseException | None = None) -> None:
        """Drops the pending part of a request: it is complete, failed, or its caller has left."""
        if job in self._waiting:
            self._waiting.remove(job)
        job.batches.clear()
        job.admission.tokens = 0
        for item in job.items:
            item.jobs.discard(job)
            if not item.jobs and not item.running and self._items.get(item.key) is item:
                del self._items[item.key]
        if job.done.done():
            return
        if error is None:
            job.done.cancel()
        else:
            job.done.set_exception(error)


def _ends_at(batch: _Batch) -> float | None:
    """Returns when the last of its callers is answered; None if one waits for everything."""
    ends = [job.admission.ends_at for item in batch.items for job in item.jobs]
    return None if None in ends else max((each for each in ends if each is not None), default=None)


def _tokens(batch: Sequence[_Item]) -> int:
    return sum(len(item.value) for item in batch)
