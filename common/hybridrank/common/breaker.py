"""Circuit breaker: leaves what fails repeatedly alone for a while, and then tries again. Pure; `now` is given.

closed ──FAILURES_TO_OPEN failures in a row──▶ open ──open_s later──▶ half-open: one call goes through
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
"""Default time without a try. gRPC itself retries a lost connection at most every second, so a returning sidecar is
used within two; until then one search per second waits for its timeout, and the others do not wait."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state of one stage, or of one server; each method returns the next state. `now` is any monotonic clock."""

    failures: int = 0
    closed_from: float = -inf
    last_failure: str = ""
    open_s: float = OPEN_S

    def is_open(self, now: float) -> bool:
        """Returns True if it must be left alone."""
        return now < self.closed_from

    @property
    def is_closed(self) -> bool:
        """True if calls pass; if it is neither open nor closed, one call passes."""
        return self.failures < FAILURES_TO_OPEN

    def calling(self, now: float) -> "Breaker":
        """Records an outgoing call. After an open period it is the only one for `open_s`, even without an outcome."""
        return self if self.is_closed else replace(self, closed_from=now + self.open_s)

    def succeeded(self) -> "Breaker":
        """There was an answer, even if a refusal."""
        return Breaker(open_s=self.open_s)

    def failed(self, now: float, why: str) -> "Breaker":
        """There was no usable answer; the caller decides what counts as that."""
        failures = self.failures + 1
        return Breaker(failures, now + self.open_s if failures >= FAILURES_TO_OPEN else -inf, why, self.open_s)
