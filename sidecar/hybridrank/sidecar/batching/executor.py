"""Executors of batches: threads of this machine, or coroutines that wait for an answer from elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Coroutines", "Executor", "Rows", "Threads"]

FloatArray = npt.NDArray[np.floating[Any]]
Rows: TypeAlias = FloatArray | Sequence[FloatArray]


class Executor(Protocol):
    """Runs batches, off the event loop or without blocking it.

    `on_cores` is True if the time of a batch grows with its tokens, so that it can be predicted, and if texts of
    several requests in one batch save time.
    """

    on_cores: bool

    def start(
        self, compute: Callable[[Sequence[Any]], Rows], values: Sequence[Any], ends_at: float | None
    ) -> asyncio.Future[Rows]:
        """Begins a batch, which nobody needs after `ends_at`, a point in time of `time.monotonic()`."""

    def replace(self) -> None:
        """Makes room for new batches beside those that do not end."""

    def close(self) -> None:
        """Ends everything."""


class Threads:
    """Batches on `threads` cores."""

    on_cores = True

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = self._new()

    def start(
        self,
        compute: Callable[[Sequence[Any]], Rows],
        values: Sequence[Any],
        ends_at: float | None,  # noqa: ARG002
    ) -> asyncio.Future[Rows]:
        """Begins a batch, which cannot be stopped."""
        return asyncio.get_running_loop().run_in_executor(self._pool, compute, values)

    def replace(self) -> None:
        """Takes new threads; batches on the others still end normally."""
        self._pool.shutdown(wait=False)
        self._pool = self._new()

    def close(self) -> None:
        """Waits for the running batches and ends the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _new(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, thread_name_prefix="batch")


class Coroutines:
    """Batches that the coroutine `send` computes elsewhere, in place of the plain function, which would block."""

    on_cores = False

    def __init__(self, send: Callable[[Sequence[Any], float | None], Awaitable[Rows]]) -> None:
        self._send = send
        self._tasks: set[asyncio.Future[Rows]] = set()

    def start(
        self,
        compute: Callable[[Sequence[Any]], Rows],  # noqa: ARG002
        values: Sequence[Any],
        ends_at: float | None,
    ) -> asyncio.Future[Rows]:
        """Begins a batch."""
        task = asyncio.ensure_future(self._send(values, ends_at))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def replace(self) -> None:
        """Changes nothing: each batch has a time limit of its own."""

    def close(self) -> None:
        """Cancels the running batches."""
        for task in self._tasks:
            task.cancel()
