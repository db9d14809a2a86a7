"""Admission of requests: whole ones, while there is room for their tokens and time for every deadline."""

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hybridrank.sidecar.batching.pace import Pace
from hybridrank.sidecar.batching.queue import due_at
from hybridrank.sidecar.errors import DeadlineUnreachable, Overloaded

# A partial answer is sent this long before the deadline: it must be encoded and cross the network, and the caller still
# has to use it. A running batch is not waited for. A longer call has more to send and can spare more time, and a busy
# machine may be late by more than the minimum.
LEAST_MARGIN_S, MARGIN_SHARE, MOST_MARGIN_S = 0.02, 0.03, 0.25

# If others wait, an admitted request should need no more than this share of its time, because small requests may
# overtake it later, and speeds change. If none waits, it may need all of its time.
FILL = 0.75
# Rejects a request that would push an admitted one, which it would overtake, above this share of its time.
KEEP = 0.85
SMALL_TOKENS = 64  # such as a query to encode: it takes a few milliseconds and may always overtake


def margin_s(given_s: float) -> float:
    """Returns how long before its deadline a call with this time limit is answered with the finished part.

    >>> margin_s(0.3), margin_s(5.0), margin_s(60.0)
    (0.02, 0.15, 0.25)
    """
    return min(max(LEAST_MARGIN_S, MARGIN_SHARE * given_s), MOST_MARGIN_S)


def answered_at(arrived_at: float, deadline: float) -> float:
    """Returns when a call is answered with the finished part, in seconds on the clock of its arrival and deadline.

    >>> answered_at(100.0, 105.0)
    104.85
    """
    return deadline - margin_s(deadline - arrived_at)


@dataclass(eq=False)
class Admission:
    """An admitted request, until it is answered. `tokens` are those whose computation has not begun.

    `optional` work is useful but not required: it waits for all required work, and keeps no request out.
    """

    model: str
    arrived_at: float
    deadline: float | None
    best_effort: bool
    estimate: int
    tokens: int = 0
    due: float = 0.0
    optional: bool = False

    def count(self, tokens: int) -> None:
        """Sets its tokens: first an estimate, then the true count. `due` follows; finished tokens do not change it."""
        self.tokens = tokens
        # Optional work ends at its deadline in any case. Without one it gets a due time, or it might never end.
        later = self.optional and self.deadline is not None
        self.due = math.inf if later else due_at(self.arrived_at, tokens, self.deadline)

    @property
    def ends_at(self) -> float | None:
        """The latest time at which its caller is answered; None if it waits for everything."""
        if self.deadline is None or not self.best_effort:
            return self.deadline
        return answered_at(self.arrived_at, self.deadline)


class Admissions:
    """All admitted requests without an answer yet. Points in time are those of `time.monotonic()`.

    `running` are the tokens of each model in running batches.
    """

    def __init__(self, *, threads: int, max_queue_tokens: int) -> None:
        self.pace = Pace()
        self.running: Counter[str] = Counter()
        self._threads = threads
        self._max_queue_tokens = max_queue_tokens
        self._admitted: set[Admission] = set()

    @property
    def queued_tokens(self) -> int:
        """Admitted tokens whose computation has not begun."""
        return sum(each.tokens for each in self._admitted)

    def room(self, tokens: int, *, model: str, arrived_at: float, deadline: float | None) -> int:
        """Returns how many tokens of optional work to admit; 0 if not even `tokens` of them would finish in time."""
        done_at = time.monotonic() + self.pace.seconds(model, tokens)
        if deadline is not None and done_at >= answered_at(arrived_at, deadline):
            return 0
        return max(0, self._max_queue_tokens - self.queued_tokens)

    @property
    def _needed(self) -> list[Admission]:
        return [each for each in self._admitted if not each.optional]

    @contextmanager
    def admit(
        self, tokens: int, *, model: str, deadline: float | None = None, best_effort: bool = False
    ) -> Iterator[Admission]:
        """Admits a request of about `tokens` until the block ends.

        Raises Overloaded if something waits and there is no room (a request larger than the queue itself is admitted if
        nothing waits), or if it would overtake others that then might be late. Raises DeadlineUnreachable if it is not
        likely to be done in time, or with `best_effort` to begin in time.
        """
        estimate, tokens = tokens, self.pace.tokens(model, tokens)
        needed = self._needed
        queued = sum(each.tokens for each in needed)
        if queued and queued + tokens > self._max_queue_tokens:
            full = f"the queue holds {queued} of {self._max_queue_tokens} tokens and this request has {tokens}"
            raise Overloaded(full, self._retry_after_s())
        admission = Admission(model, time.monotonic(), deadline, best_effort, estimate)
        admission.count(tokens)
        self._require_time(admission, fill=FILL if needed else 1.0)
        if endangered := self._endangered(admission):
            why = f"{endangered} requests that were let in before might miss their deadlines"
            raise Overloaded(why, self._retry_after_s())
        self._admitted.add(admission)
        try:
            yield admission
        finally:
            self._admitted.remove(admission)

    @contextmanager
    def admit_optional(
        self, tokens: int, *, model: str, arrived_at: float, deadline: float | None = None
    ) -> Iterator[Admission]:
        """Admits optional work until the block ends; never request more than there is `room`.

        It begins when no required work waits, and its caller is answered shortly before the deadline with the finished
        part.
        """
        admission = Admission(model, arrived_at, deadline, best_effort=True, estimate=tokens, optional=True)
        admission.count(tokens)
        self._admitted.add(admission)
        try:
            yield admission
        finally:
            self._admitted.remove(admission)

    def batch_s(self, admission: Admission, tokens: int) -> float:
        """Returns the likely duration of a batch of optional work; 0 for required work, which is tried in any case."""
        return self.pace.seconds(admission.model, tokens) if admission.optional else 0.0

    def tokenised(self, admission: Admission, tokens: int) -> None:
        """Replaces the estimate by the true count. Raises DeadlineUnreachable if there is too little time for it."""
        if admission.optional:
            admission.count(tokens)
            return
        self.pace.counted(admission.model, admission.estimate, tokens)
        admission.count(tokens)
        self._require_time(admission)

    def _require_time(self, admission: Admission, fill: float = 1.0) -> None:
        """Raises DeadlineUnreachable if wait and work would take more than the share `fill` of the remaining time."""
        if admission.ends_at is None:
            return
        now = time.monotonic()
        needed_s = self._ends({admission, *self._admitted}, now)[admission] - now
        if admission.best_effort:
            needed_s -= self._seconds(admission)
        remaining_s = max(0.0, admission.ends_at - now)
        if needed_s >= fill * remaining_s:
            raise DeadlineUnreachable(needed_s, remaining_s)

    def _endangered(self, admission: Admission) -> int:
        """Returns how many admitted requests would be in time without this request but may be late with it."""
        if admission.tokens <= SMALL_TOKENS:
            return 0
        now = time.monotonic()
        without, having = self._ends(self._admitted, now), self._ends({admission, *self._admitted}, now)
        return sum(
            without[each] <= each.deadline and having[each] > max(without[each], now + KEEP * (each.deadline - now))
            for each in self._needed
            if each.deadline is not None and not each.best_effort
        )

    def _ends(self, admitted: Iterable[Admission], now: float) -> dict[Admission, float]:
        """Returns when each of them would be done at the measured speed, one after another by their due times."""
        # A running batch is half done, on average.
        at = now + sum(self.pace.seconds(*each) for each in self.running.items()) / 2 / self._threads
        ends = {}
        for each in sorted(admitted, key=lambda each: each.due):
            at += self._seconds(each)
            ends[each] = at
        return ends

    def _seconds(self, admission: Admission) -> float:
        return self.pace.seconds(admission.model, admission.tokens) / self._threads

    def _retry_after_s(self) -> int:
        return max(1, math.ceil(sum(map(self._seconds, self._needed))))
