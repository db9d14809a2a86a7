"""Remaining time of one search."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from math import inf
from time import perf_counter
from typing import TypeVar

from hybridrank.connector.errors import EngineTimeout

__all__ = ["Budget"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Budget:
    """`timeout_s` limits the whole search from construction on; None: no limit."""

    timeout_s: float | None = None
    started_at: float = field(default_factory=perf_counter)

    @property
    def left_s(self) -> float:
        """Remaining seconds, not positive when they are spent; infinite without a limit."""
        return inf if self.timeout_s is None else self.started_at + self.timeout_s - perf_counter()

    def limit_s(self, timeout_s: float, *, share: float = 1.0) -> float:
        """Returns the time limit of a part: its own, or `share` of the remaining time if that is less."""
        return min(timeout_s, share * self.left_s)

    def spent_before(self, event: str) -> str:
        """Returns the sentence for a part without time.

        >>> Budget(2.0).spent_before("this stage")
        "the search's 2 s were spent before this stage"
        """
        return f"the search's {self.timeout_s:g} s were spent before {event}"

    async def bound(self, answer: Awaitable[T]) -> T:
        """Returns the engine's answer; cancels it when the search's time is over. Raises EngineTimeout."""
        try:
            return await asyncio.wait_for(answer, None if self.timeout_s is None else self.left_s)
        except asyncio.TimeoutError as error:
            raise EngineTimeout(self.spent_before("the engine answered"), reason="timeout") from error
