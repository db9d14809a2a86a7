"""Fails batches that run too long and replaces their thread, and reports it through readiness and the log."""

import asyncio

import structlog

from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.readiness import Readiness

log = structlog.get_logger("sidecar")

REASON = "a batch was stuck"


class Watchdog:
    """Checks, a few times per `max_batch_s`, whether a batch has run for longer.

    If so, its requests fail, a new thread takes over, and the sidecar is not ready until the next check finds no stuck
    batch. A stuck thread may hold its core forever, so when as many threads were lost as the worker has, it is
    `hopeless`: readiness stays off and `stop` is set, so that the process ends and can be restarted.
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
        """True if so many threads were lost that only a new process helps."""
        return self._worker.totals.stuck >= self._threads

    async def run(self) -> None:
        """Checks until cancelled."""
        while True:
            await asyncio.sleep(self._max_batch_s / 4)
            await self.look()

    async def look(self) -> None:
        """Checks once."""
        stuck = self._worker.give_up(self._max_batch_s)
        if stuck:
            log.error("stuck", batches=stuck, max_batch_s=self._max_batch_s, since_the_start=self._worker.totals.stuck)
            await self._readiness.block(REASON)
        if self.hopeless:
            self._stop.set()
        elif not stuck:
            await self._readiness.clear(REASON)
