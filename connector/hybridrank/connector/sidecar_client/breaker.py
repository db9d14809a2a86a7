"""Circuit breaker: skips a stage at once after repeated failures, and tries again later. Pure; `now` is given.

closed ──FAILURES_TO_OPEN failures in a row──▶ open ──OPEN_S later──▶ half-open: one call goes through
   ▲                                            ▲                        │
   └──────────────── success ───────────────────┴──────── failure ───────┘
"""

from dataclasses import dataclass, replace
from math import inf

__all__ = ["FAILURES_TO_OPEN", "OPEN_S", "Breaker"]

FAILURES_TO_OPEN = 5
"""Consecutive failures. One or two may be accidental, and a try costs a search no more than its timeout; with the
default timeout of 0.3 s, five are one and a half seconds of waiting, by one caller or several, without an answer."""

OPEN_S = 1.0
"""Time without a try. gRPC itself retries a lost connection at most every second, so a returning sidecar is used within
two; until then one search per second waits for its timeout, and the others do not wait."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state of one stage; each method returns the next state. `now` is any monotonic clock."""

    failures: int = 0
    closed_from: float = -inf
    last_failure: str = ""

    def is_open(self, now: float) -> bool:
        """Returns True if the stage must be skipped."""
        return now < self.closed_from

    @property
    def is_closed(self) -> bool:
        """True if calls pass; if it is neither open nor closed, one call passes."""
        return self.failures < FAILURES_TO_OPEN

    def calling(self, now: float) -> "Breaker":
        """Records an outgoing call. After an open period it is the only one for OPEN_S, even if no outcome follows."""
        return self if self.is_closed else replace(self, closed_from=now + OPEN_S)

    def succeeded(self) -> "Breaker":
        """The sidecar answered, even if with a refusal."""
        return Breaker()

    def failed(self, now: float, why: str) -> "Breaker":
        """There was no usable answer; the caller decides what counts as that."""
        failures = self.failures + 1
        return Breaker(failures, now + OPEN_S if failures >= FAILURES_TO_OPEN else -inf, why)
