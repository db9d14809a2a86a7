"""Chooses the tracing that the settings ask for; off unless an endpoint is set."""

from hybridrank.sidecar.transport.telemetry.tracing import Tracing

__all__ = ["tracing_to"]


def tracing_to(endpoint: str | None) -> Tracing:
    """Returns what sends spans to this endpoint, or what sends none without one.

    Raises ValueError where OpenTelemetry is not installed.
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
