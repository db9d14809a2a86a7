"""Which requests may wait: whole ones, while there is room for their tokens and time for every deadline."""

import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hybridrank.sidecar.batching.pace import Pace
from hybridrank.sidecar.batching.queue import due_at
from hybridrank.sidecar.errors import DeadlineUnreachable, Overloaded

# A partial answer leaves this long before the deadline: it is encoded, crosses the network, and the caller still
# has to use it. A batch under way then is not waited for. A longer call carries more and can spare more, and a busy
# machine may be late by more than the least.
LEAST_MARGIN_S, MARGIN_SHARE, MOST_MARGIN_S = 0.02, 0.03, 0.25

# Where others wait, what is let in should need no more than this share of the time it has, because small requests may
# overtake it later, and speeds change. Alone, it may need all of it.
FILL = 0.75
# Nor is one let in that leaves another, which it would overtake, with more than this share of its time to fill.
KEEP = 0.85
SMALL_TOKENS = 64  # a query to encode: it takes a few milliseconds and may always overtake


def margin_s(given_s: float) -> float:
    """How long before its deadline a call that was given so many seconds is answered with what is ready.

    >>> margin_s(0.3), margin_s(5.0), margin_s(60.0)
    (0.02, 0.15, 0.25)
    """
    return min(max(LEAST_MARGIN_S, MARGIN_SHARE * given_s), MOST_MARGIN_S)


def answered_at(arrived_at: float, deadline: float) -> float:
    """When a call is answered with what is ready, in seconds as its arrival and its deadline are.

    >>> answered_at(100.0, 105.0)
    104.85
    """
    return deadline - margin_s(deadline - arrived_at)


@dataclass(eq=False)
class Admission:
    """A request that was let in, until it is answered. `tokens` are those that have not begun.

    What is `optional` is welcome and not needed: it waits for all that is needed, and keeps nothing out.
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
        """It has so many tokens: an estimate first, then the truth. `due` follows, and stays while they are done."""
        self.tokens = tokens
        # Optional work ends at its deadline in any case. Without one it is due some time, or it might never end.
        later = self.optional and self.deadline is not None
        self.due = math.inf if later else due_at(self.arrived_at, tokens, self.deadline)

    @property
    def ends_at(self) -> float | None:
        """When its caller is answered, whatever is ready; None for whenever all of it is."""
        if self.deadline is None or not self.best_effort:
            return self.deadline
        return answered_at(self.arrived_at, self.deadline)


class Admissions:
    """Everything that was let in and has not been answered. Points in time are those of `time.monotonic()`.

    `running` are the tokens of each model in batches that have begun.
    """

    def __init__(self, *, threads: int, max_queue_tokens: int) -> None:
        self.pace = Pace()
        self.running: Counter[str] = Counter()
        self._threads = threads
        self._max_queue_tokens = max_queue_tokens
        self._admitted: set[Admission] = set()

    @property
    def queued_tokens(self) -> int:
        """Tokens that were let in and have not begun."""
        return sum(each.tokens for each in self._admitted)

    def room(self, tokens: int, *, model: str, arrived_at: float, deadline: float | None) -> int:
        """How many tokens of optional work may be let in; 0 where not even `tokens` of them would be done in time."""
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
        """Let a request of about `tokens` in until the block ends.

        Overloaded when something waits and there is no room (one larger than the queue by itself is let in when nothing
        does), or when it would overtake others that then might be late. DeadlineUnreachable when it is not likely to be
        done in time, or with `best_effort` to begin.
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
        """Let in what is welcome and not needed, until the block ends; to be asked for no more than there is `room`.

        It begins when nothing needed waits, and its caller is answered shortly before the deadline with what is ready.
        """
        admission = Admission(model, arrived_at, deadline, best_effort=True, estimate=tokens, optional=True)
        admission.count(tokens)
        self._admitted.add(admission)
        try:
            yield admission
        finally:
            self._admitted.remove(admission)

    def batch_s(self, admission: Admission, tokens: int) -> float:
        """How long a batch of optional work is likely to run; 0 for what is needed, which is tried in any case."""
        return self.pace.seconds(admission.model, tokens) if admission.optional else 0.0

    def tokenised(self, admission: Admission, tokens: int) -> None:
        """Put the true count in the place of the estimate. DeadlineUnreachable when there is too little time for it."""
        if admission.optional:
            admission.count(tokens)
            return
        self.pace.counted(admission.model, admission.estimate, tokens)
        admission.count(tokens)
        self._require_time(admission)

    def _require_time(self, admission: Admission, fill: float = 1.0) -> None:
        """DeadlineUnreachable when its turn and work would take more than the share `fill` of what is left."""
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
        """How many that would be in time without this request may be late with it."""
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
        """When each of them would be done at the measured speed, one after another by their due times."""
        # A batch that runs is half done, on average.
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
