"""Trace context of a call as metadata, so that the spans of a sidecar are below the application's."""

import sys

__all__ = ["trace_context"]


def trace_context() -> tuple[tuple[str, str], ...]:
    """Returns `traceparent`, and `tracestate` if there is one (W3C Trace Context), of the active span.

    Empty without a span. If OpenTelemetry was never imported, there can be no span, so it is not imported here.
    """
    if "opentelemetry.trace" not in sys.modules:
        return ()
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    return tuple(headers.items())
