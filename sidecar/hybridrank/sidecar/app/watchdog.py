"""Sees to it that a batch which never ends neither holds its callers nor its thread, and that all learn of it."""

import asyncio

import structlog

from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.readiness import Readiness

log = structlog.get_logger("sidecar")

REASON = "a batch was stuck"


class Watchdog:
    """Looks, a few times within `max_batch_s`, whether a batch has run for longer.

    Its requests then fail, a new thread takes over, and the sidecar is not ready until the next look finds all well. A
    stuck thread may hold its core for ever, so when as many were lost as the worker has, it is `hopeless`: readiness
    stays off and `stop` is set, for the process to end and be started anew.
    """

    def __init__(
        self, worker: Worker, readiness: Readiness, *, max_batch_s: float, threads: int, stop: asyncio.Event
    ) -> None:
        self._stop = stop
        self._worker = worker
        self._readiness = readiness
        self._max_batch_s = max_batch_s
        self._threads = threads

    @property
    def hopeless(self) -> bool:
        """Whether so many threads were lost that only a new process helps."""
        return self._worker.totals.stuck >= self._threads

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._max_batch_s / 4)
            await self.look()

    async def look(self) -> None:
        """Look once."""
        stuck = self._worker.give_up(self._max_batch_s)
        if stuck:
            log.error("stuck", batches=stuck, max_batch_s=self._max_batch_s, since_the_start=self._worker.totals.stuck)
            await self._readiness.block(REASON)
        if self.hopeless:
            self._stop.set()
        elif not stuck:
            await self._readiness.clear(REASON)
