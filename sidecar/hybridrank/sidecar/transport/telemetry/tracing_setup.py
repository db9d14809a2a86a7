"""Chooses the tracing from the settings; off unless an endpoint is set."""

from hybridrank.sidecar.transport.telemetry.tracing import Tracing

__all__ = ["tracing_to"]


def tracing_to(endpoint: str | None) -> Tracing:
    """Returns tracing that sends spans to this endpoint, or that sends none without one.

    Raises ValueError if OpenTelemetry is not installed.
    """
    if endpoint is None:
        return Tracing()
    try:
        from hybridrank.sidecar.transport.telemetry.tracing_otel import OtelTracing
    except ImportError as error:
        raise ValueError(
            f"otlp_endpoint needs OpenTelemetry, and {error.name} is missing: pip install 'hybridrank[otel]'"
        ) from error
    return OtelTracing(endpoint)
