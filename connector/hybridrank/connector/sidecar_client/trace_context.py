"""The trace that a call belongs to, as metadata; the spans of a sidecar are then below the application's."""

import sys

__all__ = ["trace_context"]


def trace_context() -> tuple[tuple[str, str], ...]:
    """`traceparent`, and `tracestate` where there is one (W3C Trace Context), of the span that is active here.

    Nothing without one. Nobody can have made one where OpenTelemetry was never imported, so neither do we import it.
    """
    if "opentelemetry.trace" not in sys.modules:
        return ()
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    headers: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(headers)
    return tuple(headers.items())
