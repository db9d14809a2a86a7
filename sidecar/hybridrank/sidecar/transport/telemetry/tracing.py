"""Traces: what is told of calls to those who follow a search from program to program; nothing, unless asked for."""

from contextlib import AbstractContextManager, nullcontext

from hybridrank.sidecar.transport.call import Call
from hybridrank.sidecar.transport.status import Status
from hybridrank.sidecar.types import EncodeResult, RerankResult


class Tracing:
    """Follows nothing; `tracing_otel.py` has the one that does."""

    def follow(self, call: Call) -> AbstractContextManager[None]:  # noqa: ARG002
        """A span around a call; the other methods are for use within, and speak of it."""
        return nullcontext()

    def answered(self, began_ns: int, texts: int, result: RerankResult | EncodeResult) -> None:
        """There is an answer for so many texts, to what was begun at `began_ns` of `time.time_ns()`."""

    def ended(self, call: Call, status: Status, error: str | None) -> None:
        """How it ended; `error` is the name of a class."""

    async def close(self, within_s: float) -> None:
        """Send what waits."""
