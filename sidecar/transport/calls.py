"""What happens around every call, whatever the wire: one log line without user text, counters, draining."""

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

import structlog

from sidecar.errors import Draining, InternalError, SidecarError, Unauthenticated
from sidecar.readiness import Readiness
from sidecar.service import RerankService
from sidecar.transport.metrics import Metrics, Watched
from sidecar.transport.security_tls import Tls
from sidecar.transport.status import STATUSES, Outcome, status
from sidecar.types import EncodeRequest, EncodeResult, RerankRequest, RerankResult

log = structlog.get_logger("sidecar")

REQUEST_ID = "x-request-id"
ACCEPTED_REQUEST_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)

Wire = Literal["grpc", "http"]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Call:
    """A call as it is counted (wire, method) and logged (path, request_id)."""

    wire: Wire
    method: str
    path: str
    request_id: str


class Calls:
    """The service as the wires call it. Shared by all of them, so that one drain waits for every last call."""

    def __init__(self, service: RerankService, *, readiness: Readiness | None = None, tls: Tls | None = None) -> None:
        self.service = service
        readiness = readiness or Readiness()
        self.metrics = Metrics(
            Watched(
                models=lambda: [model.info for model in service.models],
                queued_tokens=lambda: service.queued_tokens,
                batches=lambda: service.batch_totals,
                cache=lambda: service.cache,
                not_ready=lambda: readiness.reasons,
                certificate_expires_at=lambda: tls.expires_at if tls else None,
            )
        )
        self.draining = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def drain(self, timeout_s: float) -> bool:
        """Refuse new calls and wait for those that run; False when some still ran after `timeout_s`."""
        self.draining = True
        try:
            await asyncio.wait_for(self._idle.wait(), timeout_s)
        except asyncio.TimeoutError:
            return False
        return True

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """Score passages; notes what the log line and the counters say of it."""
        structlog.contextvars.bind_contextvars(candidates=len(request.passages))
        result = await self.service.rerank(request)
        structlog.contextvars.bind_contextvars(model=result.model.name)
        self.metrics.reranked(len(request.passages), result)
        return result

    async def encode(self, request: EncodeRequest) -> EncodeResult:
        """Encode texts; notes what the log line and the counters say of it."""
        structlog.contextvars.bind_contextvars(texts=len(request.texts))
        result = await self.service.encode(request)
        structlog.contextvars.bind_contextvars(model=result.model.name)
        self.metrics.encoded(result)
        return result

    async def run(
        self, call: Call, work: Callable[[], Awaitable[Answer]], *, expired: Callable[[], bool] = lambda: False
    ) -> Answer:
        """Do the work of one call; every way it ends is logged and counted once.

        An answer whose `complete` is False counts as partial. `expired` tells a cancellation by the deadline from one
        by the caller. Raises SidecarError and nothing else, but for the cancellation.
        """
        structlog.contextvars.bind_contextvars(method=call.path, request_id=call.request_id)
        started_at = time.perf_counter()

        def end(code: str, outcome: Outcome, **fields: str) -> None:
            log.info("call", code=code, ms=round(1000 * (time.perf_counter() - started_at), 1), **fields)
            self.metrics.requests.labels(call.wire, call.method, outcome).inc()

        with self._counted(call):
            try:
                if self.draining:
                    raise Draining
                answer = await work()
            except SidecarError as error:
                end(status(error).grpc.name, status(error).outcome, error=type(error).__name__)
                raise
            except asyncio.CancelledError:
                if expired():
                    end("DEADLINE_EXCEEDED", "expired")
                else:
                    end("CANCELLED", "cancelled")
                raise
            except Exception as error:
                log.exception("call failed")
                end("INTERNAL", "failed", error=type(error).__name__)
                raise InternalError(call.request_id) from error
            end("OK", "ok" if getattr(answer, "complete", True) else "partial")
            return answer

    def refused_without_key(self, wire: Wire, method: str, path: str) -> None:
        """Log and count a call that ended before it began. `method` must be a name of ours, or "other"."""
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


def request_id(wanted: str | bytes | None) -> str:
    """The caller's own id where it is fit for a log line, otherwise a new one."""
    if isinstance(wanted, str) and ACCEPTED_REQUEST_ID.fullmatch(wanted):
        return wanted
    return uuid.uuid4().hex
