"""An event loop in its own thread, for synchronous code."""

import asyncio
import os
from collections.abc import Coroutine
from threading import Lock, Thread
from typing import Any, TypeVar

__all__ = ["LoopThread"]

T = TypeVar("T")


class LoopThread:
    """Starts with the first call. Starts again after `stop`, and in a forked child, which inherits no thread."""

    def __init__(self) -> None:
        self._locks: dict[int, Lock] = {}  # by process id: a forked child may inherit a lock that another thread held
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = Thread()
        self._pid = os.getpid()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs `work` in the loop and returns its result; safe from any thread except the loop's own."""
        with self._lock():
            if self._loop is None or self._pid != os.getpid():
                self._loop, self._pid = asyncio.new_event_loop(), os.getpid()
                self._thread = Thread(target=self._loop.run_forever, name="hybridrank-search", daemon=True)
                self._thread.start()
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result()

    def stop(self) -> None:
        """Ends the thread and closes the loop."""
        with self._lock():
            if self._loop is not None and self._pid == os.getpid():
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
                self._loop.close()
            self._loop = None

    def _lock(self) -> Lock:
        return self._locks.setdefault(os.getpid(), Lock())
