"""Common handling of every call on every protocol: one log line without user text, counters, a span, draining."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import grpc
import structlog

from hybridrank.sidecar.errors import CallError, DeadlinePassed, Draining, InternalError, Unauthenticated
from hybridrank.sidecar.models.control import ModelControl
from hybridrank.sidecar.readiness import Readiness
from hybridrank.sidecar.service import RerankService
from hybridrank.sidecar.transport.call import Call, Wire
from hybridrank.sidecar.transport.security.tls import Tls
from hybridrank.sidecar.transport.status import STATUSES, Status, status
from hybridrank.sidecar.transport.telemetry.metrics import Metrics, Watched
from hybridrank.sidecar.transport.telemetry.tracing import Tracing
from hybridrank.sidecar.types import EncodeRequest, EncodeResult, RerankRequest, RerankResult

log = structlog.get_logger("sidecar")

Answer = TypeVar("Answer")

ANSWERED = Status(grpc.StatusCode.OK, 200, "ok")
PARTLY_ANSWERED = Status(grpc.StatusCode.OK, 200, "partial")
CALLER_GONE = Status(grpc.StatusCode.CANCELLED, 499, "cancelled")


class Calls:
    """The service for all protocols. They share it, so that one drain waits for every last call."""

    def __init__(
        self,
        service: RerankService,
        *,
        readiness: Readiness | None = None,
        tls: Tls | None = None,
        control: ModelControl | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self.service = service
        self._tracing = tracing or Tracing()
        readiness = readiness or Readiness()
        self.metrics = Metrics(
            Watched(
                models=lambda: [model.info for model in service.models],
                queued_tokens=lambda: service.queued_tokens,
                batches=lambda: service.batch_totals,
                cache=lambda: service.cache,
                not_ready=lambda: readiness.reasons,
                certificate_expires_at=lambda: tls.expires_at if tls else None,
                model_loads=lambda: control.outcomes if control else {},
                remotes=lambda: [model.remote for model in service.models if model.remote],
            )
        )
        self.draining = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def drain(self, timeout_s: float) -> bool:
        """Refuses new calls and waits for running ones; returns False if some still ran after `timeout_s`."""
        self.draining = True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except asyncio.TimeoutError:
            return False
        return True

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """Scores passages; records data for the log line, the counters and the span."""
        structlog.contextvars.bind_contextvars(candidates=len(request.passages))
        began_ns = time.time_ns()
        result = await self.service.rerank(request)
        self._tracing.answered(began_ns, len(request.passages), result)
        structlog.contextvars.bind_contextvars(model=result.model.name, chunks=result.scored_chunks)
        self.metrics.reranked(len(request.passages), result)
        return result

    async def encode(self, request: EncodeRequest) -> EncodeResult:
        """Encodes texts; records data for the log line, the counters and the span."""
        structlog.contextvars.bind_contextvars(texts=len(request.texts))
        began_ns = time.time_ns()
        result = await self.service.encode(request)
        self._tracing.answered(began_ns, len(request.texts), result)
        structlog.contextvars.bind_contextvars(model=result.model.name)
        self.metrics.encoded(result)
        return result

    async def run(
        self, call: Call, work: Callable[[], Awaitable[Answer]], *, expired: Callable[[], bool] = lambda: False
    ) -> Answer:
        """Does the work of one call; every outcome is logged, counted and traced once.

        An answer whose `complete` is False counts as partial. `expired` distinguishes a cancellation by the deadline
        from one by the caller. Raises only CallError, or the cancellation.
        """
        structlog.contextvars.bind_contextvars(method=call.path, request_id=call.request_id)
        started_at = time.perf_counter()

        def end(how: Status, error: str | None = None) -> None:
            ms = round(1000 * (time.perf_counter() - started_at), 1)
            log.info("call", code=how.grpc.name, ms=ms, **({"error": error} if error else {}))
            self.metrics.requests.labels(call.wire, call.method, how.outcome).inc()
            self._tracing.ended(call, how, error)

        with self._counted(call), self._tracing.follow(call):
            try:
                if self.draining:
                    raise Draining
                answer = await work()
            except CallError as error:
                end(status(error), type(error).__name__)
                raise
            except asyncio.CancelledError:
                end(STATUSES[DeadlinePassed] if expired() else CALLER_GONE)
                raise
            except Exception as error:
                log.exception("call failed")
                end(STATUSES[InternalError], type(error).__name__)
                raise InternalError(call.request_id) from error
            end(ANSWERED if getattr(answer, "complete", True) else PARTLY_ANSWERED)
            return answer

    def refused_without_key(self, wire: Wire, method: str, path: str) -> None:
        """Logs and counts a call that ended before it began. `method` must be a name of ours, or "other"."""
        log.warning("call refused without a good key", method=path)
        self.metrics.requests.labels(wire, method, STATUSES[Unauthenticated].outcome).inc()

    @contextmanager
    def _counted(self, call: Call) -> Iterator[None]:
        self._running += 1
        self._idle.clear()
        with self.metrics.running.labels(call.wire).track_inprogress():
            try:
                yield
            finally:
                self._running -= 1
                if self._running == 0:
                    self._idle.set()
