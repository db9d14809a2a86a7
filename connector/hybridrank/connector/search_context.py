"""Running record of one search: timings of stages, degraded parts, and the remaining time."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeVar

from hybridrank.connector.errors import EngineError, EngineTimeout, Misconfigured, SidecarError, SidecarTimeout
from hybridrank.connector.faults import is_configuration
from hybridrank.connector.total_hits import TotalHits
from hybridrank.connector.types import Degraded, Timings

__all__ = ["Trace"]

T = TypeVar("T")


@dataclass(slots=True)
class Trace:
    """`timeout_s` limits the whole search from now on; None: no limit. `strict` is that of the request."""

    timeout_s: float | None = None
    strict: bool = False
    clock: list[float] = field(default_factory=lambda: [perf_counter()])
    degraded: list[Degraded] = field(default_factory=list)
    profile: dict[str, Any] = field(default_factory=dict)
    total: TotalHits | None = None

    def tick(self) -> None:
        """Marks the end of a stage. Raises Misconfigured for configuration faults if the search is strict."""
        self.clock.append(perf_counter())
        faults = [each for each in self.degraded if each.configuration]
        if self.strict and faults:
            raise Misconfigured(faults)

    def lacks(self, stage: str, error: SidecarError | EngineError, *, reason: str = "", instead: str = "") -> None:
        """Records a stage left out because of `error`; `instead` is the replacement, `reason` overrides the error's.

        Only the error decides whether it is a configuration fault.
        """
        configuration = is_configuration(error.reason, error.status if isinstance(error, EngineError) else 0)
        detail = f"{instead}: {error}" if instead else str(error)
        self.degraded.append(Degraded(stage, reason or error.reason, detail, configuration))

    def record(self, stage: str, reason: str, detail: str) -> None:
        """Records a missing part of the answer without an error; `reason` is a word of `faults.py`."""
        self.degraded.append(Degraded(stage, reason, detail, is_configuration(reason)))

    def budget_s(self, stage_timeout_s: float, *, share: float = 1.0) -> float:
        """Returns the time limit of a stage: its own timeout, or `share` of the remaining search time if that is less.

        Raises SidecarTimeout if no time is left.
        """
        left_s = self._left_s()
        if left_s is None:
            return stage_timeout_s
        if left_s <= 0:
            raise SidecarTimeout(f"the search's {self.timeout_s:g} s were spent before this stage")
        return min(stage_timeout_s, share * left_s)

    async def bound(self, answer: Awaitable[T]) -> T:
        """Returns the engine's answer; cancels it when the search's time is over. Raises EngineTimeout."""
        try:
            return await asyncio.wait_for(answer, self._left_s())
        except asyncio.TimeoutError as error:
            message = f"the search's {self.timeout_s:g} s were spent before the engine answered"
            raise EngineTimeout(message, reason="timeout") from error

    async def part(self, stage: str, answer: Awaitable[T]) -> T | None:
        """Same as `bound`; returns None on failure, because the rest of the answer does not need it."""
        try:
            return await self.bound(answer)
        except EngineError as error:
            self.lacks(stage, error)
            return None

    def timings(self) -> Timings:
        """Returns the timings of the four stages, after all have ended."""
        encode, retrieve, rescore, page = (1000 * (b - a) for a, b in zip(self.clock, self.clock[1:], strict=False))
        return Timings(encode, retrieve, rescore, page, total_ms=1000 * (self.clock[-1] - self.clock[0]))

    def _left_s(self) -> float | None:
        return None if self.timeout_s is None else self.clock[0] + self.timeout_s - perf_counter()
