"""When to skip a stage at once after repeated failures, and when to try again. Pure; the caller brings the clock.

closed ──FAILURES_TO_OPEN failures in a row──▶ open ──OPEN_S later──▶ half-open: one call goes through
   ▲                                            ▲                        │
   └──────────────── success ───────────────────┴──────── failure ───────┘
"""

from dataclasses import dataclass, replace
from math import inf

__all__ = ["FAILURES_TO_OPEN", "OPEN_S", "Breaker"]

FAILURES_TO_OPEN = 5
"""In a row. One or two are a hiccup, and trying costs a search no more than its budget; with the default budget of
0.3 s, five are one and a half seconds of waiting, by one caller or several, without a single answer."""

OPEN_S = 1.0
"""How long nothing is tried. gRPC itself tries a lost connection again every second at most, so a sidecar that comes
back is used within two; until then one search a second pays its budget, and the others nothing."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state of one stage; each method returns the state that follows. `now` is any clock that never goes back."""

    failures: int = 0
    closed_from: float = -inf
    last_failure: str = ""

    def is_open(self, now: float) -> bool:
        """Whether the stage is to be skipped."""
        return now < self.closed_from

    @property
    def is_closed(self) -> bool:
        """Whether calls go through; when it is neither open nor closed, one does."""
        return self.failures < FAILURES_TO_OPEN

    def calling(self, now: float) -> "Breaker":
        """A call goes out. After an open spell it is the only one for OPEN_S, even when its outcome is never told."""
        return self if self.is_closed else replace(self, closed_from=now + OPEN_S)

    def succeeded(self) -> "Breaker":
        """The sidecar answered, be it to refuse: it is there."""
        return Breaker()

    def failed(self, now: float, why: str) -> "Breaker":
        """No answer that can be used: the caller decides what that is."""
        failures = self.failures + 1
        return Breaker(failures, now + OPEN_S if failures >= FAILURES_TO_OPEN else -inf, why)
