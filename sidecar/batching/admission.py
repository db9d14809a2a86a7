"""Which requests may wait: whole ones, while there is room for their tokens and time for their deadline."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sidecar.batching.pace import Pace
from sidecar.batching.queue import due_at
from sidecar.errors import DeadlineUnreachable, Overloaded

# A partial answer leaves this long before the deadline: it is encoded, crosses the network, and the caller still
# has to use it. A batch under way then is not waited for.
MARGIN_S = 0.02


@dataclass(eq=False)
class Admission:
    """A request that was let in, until it is answered. `tokens` are those that have not begun."""

    model: str
    arrived_at: float
    deadline: float | None
    best_effort: bool
    tokens: int = 0
    due: float = 0.0

    def count(self, tokens: int) -> None:
        """It has so many tokens: an estimate first, then the truth. `due` follows, and stays while they are done."""
        self.tokens = tokens
        self.due = due_at(self.arrived_at, tokens, self.deadline)

    @property
    def ends_at(self) -> float | None:
        """When its caller is answered, whatever is ready; None for whenever all of it is."""
        return self.deadline if self.deadline is None or not self.best_effort else self.deadline - MARGIN_S


class Admissions:
    """Everything that was let in and has not been answered. Points in time are those of `time.monotonic()`."""

    def __init__(self, *, threads: int, max_queue_tokens: int) -> None:
        self.pace = Pace()
        self._threads = threads
        self._max_queue_tokens = max_queue_tokens
        self._admitted: set[Admission] = set()

    @property
    def queued_tokens(self) -> int:
        """Tokens that were let in and have not begun."""
        return sum(each.tokens for each in self._admitted)

    @contextmanager
    def admit(
        self, tokens: int, *, model: str, deadline: float | None = None, best_effort: bool = False
    ) -> Iterator[Admission]:
        """Let a request of about `tokens` in until the block ends.

        Overloaded when something waits and there is no room; one larger than the queue by itself is let in when nothing
        does. DeadlineUnreachable when it could not be done in time, or with `best_effort` not begun.
        """
        queued = self.queued_tokens
        if queued and queued + tokens > self._max_queue_tokens:
            seconds = sum(self._seconds(each) for each in self._admitted)
            raise Overloaded(tokens, queued, self._max_queue_tokens, max(1, math.ceil(seconds)))
        admission = Admission(model, time.monotonic(), deadline, best_effort)
        admission.count(tokens)
        self.require_time(admission)
        self._admitted.add(admission)
        try:
            yield admission
        finally:
            self._admitted.remove(admission)

    def require_time(self, admission: Admission) -> None:
        """DeadlineUnreachable when, at the measured speed, the deadline passes before its turn and work are over."""
        if admission.ends_at is None:
            return
        ahead = (each for each in self._admitted if each is not admission and each.due <= admission.due)
        needed_s = sum(self._seconds(each) for each in ahead)
        if not admission.best_effort:
            needed_s += self._seconds(admission)
        remaining_s = admission.ends_at - time.monotonic()
        if needed_s >= remaining_s:
            raise DeadlineUnreachable(needed_s, max(0.0, remaining_s))

    def _seconds(self, admission: Admission) -> float:
        return self.pace.seconds(admission.model, admission.tokens) / self._threads
