"""Distributed tracing; off unless configured."""

from contextlib import AbstractContextManager, nullcontext

from hybridrank.sidecar.transport.call import Call
from hybridrank.sidecar.transport.status import Status
from hybridrank.sidecar.types import EncodeResult, RerankResult


class Tracing:
    """Sends no traces; `tracing_otel.py` has the implementation that does."""

    def follow(self, call: Call) -> AbstractContextManager[None]:  # noqa: ARG002
        """Opens a span around a call; the other methods apply to this span and are called within it."""
        return nullcontext()

    def answered(self, began_ns: int, texts: int, result: RerankResult | EncodeResult) -> None:
        """Records an answer for this number of texts; the work began at `began_ns` of `time.time_ns()`."""

    def ended(self, call: Call, status: Status, error: str | None) -> None:
        """Records the outcome; `error` is the name of a class."""

    async def close(self, within_s: float) -> None:
        """Sends pending spans."""
