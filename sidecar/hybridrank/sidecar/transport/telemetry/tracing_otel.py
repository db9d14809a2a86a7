"""Spans of calls by OpenTelemetry, sent over OTLP/gRPC: names, counts and times, never text of a caller."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hybridrank.sidecar.transport.call import Call
from hybridrank.sidecar.transport.status import Status
from hybridrank.sidecar.transport.telemetry.tracing import Tracing
from hybridrank.sidecar.types import EncodeResult, RerankResult

log = structlog.get_logger("sidecar")

W3C = TraceContextTextMapPropagator()
FLUSH_S = (1.0, 5.0)  # minimum and maximum: an unreachable endpoint must not delay an exit


class OtelTracing(Tracing):
    """A span for each call, with a child span for each stage of an answer.

    The endpoint is a URL, https for TLS. Everything else follows OpenTelemetry's own variables: name and attributes of
    this service, sampling, headers, certificates, timeouts, batches.
    """

    def __init__(self, endpoint: str) -> None:
        _log_problems()
        named = {"service.name": "hybridrank-sidecar"} | dict(OTELResourceDetector().detect().attributes)
        # Our own provider, not the process's: data of other libraries, such as paths and queries, is not sent with it.
        self._provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
        self._tracer = self._provider.get_tracer("hybridrank.sidecar")

    @contextmanager
    def follow(self, call: Call) -> Iterator[None]:
        """Makes the span part of the caller's trace, if it names one; the log also has its trace id."""
        if call.wire == "grpc":
            attributes = {"rpc.system.name": "grpc", "rpc.method": call.path.lstrip("/")}
        else:
            method, route = call.path.split(" ")
            attributes = {"http.request.method": method, "http.route": route}
        with self._tracer.start_as_current_span(
            call.path.lstrip("/"),
            W3C.extract(call.trace_context),
            kind=trace.SpanKind.SERVER,
            attributes=attributes,
            record_exception=False,  # its message may quote the caller
            set_status_on_exception=False,
        ) as span:
            if (context := span.get_span_context()).is_valid:
                structlog.contextvars.bind_contextvars(trace_id=trace.format_trace_id(context.trace_id))
            yield

    def answered(self, began_ns: int, texts: int, result: RerankResult | EncodeResult) -> None:
        """Records one stage after the other; an answer from the cache has none."""
        trace.get_current_span().set_attributes(
            {"hybridrank.model": result.model.name, "hybridrank.texts": texts, "hybridrank.tokens": result.tokens}
        )
        for name, milliseconds in asdict(result.timings).items():
            if milliseconds:
                ended_ns = began_ns + int(1e6 * milliseconds)
                self._tracer.start_span(name.removesuffix("_ms"), start_time=began_ns).end(ended_ns)
                began_ns = ended_ns

    def ended(self, call: Call, status: Status, error: str | None) -> None:
        """Records the outcome; a caller's mistake is not an error of this span, by OpenTelemetry's rule for servers."""
        span = trace.get_current_span()
        if call.wire == "grpc":
            span.set_attribute("rpc.response.status_code", status.grpc.name)
        else:
            span.set_attribute("http.response.status_code", status.http)
        span.set_attribute("hybridrank.outcome", status.outcome)
        if error:
            span.set_attribute("error.type", error)
        if status.outcome in {"refused", "expired", "failed"}:
            span.set_status(trace.StatusCode.ERROR)

    async def close(self, within_s: float) -> None:
        """Sends pending spans; spans that are not accepted within 1 to 5 s are lost."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        await asyncio.to_thread(closing.join, sorted((within_s, *FLUSH_S))[1])


class _ProblemsToLog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log.warning("traces", problem=record.getMessage())


def _log_problems() -> None:
    """Writes OpenTelemetry's warnings to our log."""
    logger = logging.getLogger("opentelemetry")
    logger.propagate = False
    logger.handlers = [_ProblemsToLog(logging.WARNING)]
