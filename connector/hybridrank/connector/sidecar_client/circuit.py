"""Applies the circuit breaker: it guards the calls of one stage and records the outcome of each."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from hybridrank.common.breaker import Breaker
from hybridrank.connector.errors import CircuitOpen, SidecarError, SidecarTimeout, SidecarUnreachable

__all__ = ["Circuit", "Circuits", "cost_a_search"]

CIRCUITS_KEPT = 64  # a caller may name any model


class Circuits:
    """One circuit per stage and model, because one may be too slow while another works."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Circuit] = OrderedDict()

    def of(self, stage: str, model: str) -> "Circuit":
        """Returns the circuit of that model in that stage; the one that was not used longest is forgotten."""
        circuit = self._kept.setdefault((stage, model), Circuit(f"{stage} by {model}"))
        self._kept.move_to_end((stage, model))
        if len(self._kept) > CIRCUITS_KEPT:
            self._kept.popitem(last=False)
        return circuit


class Circuit:
    """Guards the calls of one stage to one model."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._breaker = Breaker()

    @contextmanager
    def call(self, timeout_s: float) -> Iterator[None]:
        """Wraps one call that may take `timeout_s`. Raises CircuitOpen instead while the circuit is open."""
        started_at = monotonic()
        if self._breaker.is_open(started_at):
            raise CircuitOpen(
                f"not tried: the last {self._breaker.failures} calls to {self._stage} failed; tried again in"
                f" {self._breaker.closed_from - started_at:.1f} s; the latest: {self._breaker.last_failure}"
            )
        self._breaker = self._breaker.calling(started_at)
        try:
            yield
        except SidecarError as error:
            failed = cost_a_search(error, monotonic() - started_at, timeout_s)
            self._breaker = self._breaker.failed(monotonic(), str(error)) if failed else self._breaker.succeeded()
            raise
        self._breaker = self._breaker.succeeded()


def cost_a_search(error: SidecarError, took_s: float, timeout_s: float) -> bool:
    """True if the search waited in vain. A sidecar that refuses at once, even for lack of time, is reachable."""
    return isinstance(error, SidecarUnreachable) or (isinstance(error, SidecarTimeout) and took_s > timeout_s / 2)
