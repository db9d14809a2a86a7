"""SearchContext: one budget, one stopwatch and one list of left-out parts for each search."""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from hybridrank.connector.errors import EngineError
from hybridrank.connector.faults import Reason
from hybridrank.connector.search_context.budget import Budget
from hybridrank.connector.search_context.left_out import LeftOut
from hybridrank.connector.search_context.stopwatch import Part, Stopwatch

__all__ = ["SearchContext"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SearchContext:
    """Created when a search begins; `strict` is that of the request."""

    budget: Budget
    strict: bool = False
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    left_out: LeftOut = field(default_factory=LeftOut)

    @contextmanager
    def part(self, name: Part) -> Iterator[None]:
        """Measures the block. At its end, a strict search raises Misconfigured for configuration faults."""
        with self.stopwatch.measures(name):
            yield
        if self.strict:
            self.left_out.check_configuration()

    def limit_s(self, part: str, timeout_s: float, *, share: float = 1.0) -> float | None:
        """Returns the time limit of a part, as `Budget.limit_s`; None if no time is left, which is recorded."""
        limit_s = self.budget.limit_s(timeout_s, share=share)
        if limit_s > 0:
            return limit_s
        self.left_out.record(part, Reason.TIMEOUT, self.budget.spent_before("this stage"))
        return None

    async def optional(self, part: str, answer: Awaitable[T]) -> T | None:
        """Returns the engine's answer; None on failure, which is recorded: the rest of the answer does not need it."""
        try:
            return await self.budget.bound(answer)
        except EngineError as error:
            self.left_out.failed(part, error)
            return None
