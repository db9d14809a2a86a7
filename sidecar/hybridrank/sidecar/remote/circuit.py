"""A circuit breaker: after several failures in a row, a remote is left alone for a while."""

import time
from collections.abc import Callable

__all__ = ["FAILURES", "PAUSE_S", "Circuit"]

FAILURES = 5  # in a row: a remote that answers some calls resets the count
PAUSE_S = 10.0


class Circuit:
    """Open after FAILURES in a row; then one trial is let through every PAUSE_S, and closed by the next success.

    `listener` is called whenever it opens or closes.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.listener: Callable[[], None] = lambda: None
        self._clock = clock
        self._failures = 0
        self._refuses_until = 0.0

    @property
    def open(self) -> bool:
        """True from the last of the failures until a success."""
        return self._failures >= FAILURES

    def refused_s(self) -> float:
        """Returns 0 if a call may go, otherwise the seconds until the next trial. A call that may go is the trial.

        >>> circuit = Circuit(clock=lambda: 100.0)
        >>> for _ in range(FAILURES):
        ...     circuit.failed()
        >>> circuit.open, circuit.refused_s()
        (True, 10.0)
        """
        now = self._clock()
        if not self.open:
            return 0.0
        if now < self._refuses_until:
            return self._refuses_until - now
        self._refuses_until = now + PAUSE_S
        return 0.0

    def failed(self) -> None:
        """Counts a failure."""
        was_open = self.open
        self._failures += 1
        if self.open:
            self._refuses_until = self._clock() + PAUSE_S
        if self.open and not was_open:
            self.listener()

    def succeeded(self) -> None:
        """Closes it."""
        was_open = self.open
        self._failures = 0
        if was_open:
            self.listener()
