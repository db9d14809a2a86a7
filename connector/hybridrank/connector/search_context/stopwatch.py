"""Wall-clock times of the parts of one search, by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal, TypeAlias

from hybridrank.connector.types import Timings

__all__ = ["Part", "Stopwatch"]

Part: TypeAlias = Literal["encode", "retrieve", "rescore", "page"]


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """The total runs from construction on."""

    started_at: float = field(default_factory=perf_counter)
    spent_ms: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measures(self, part: Part) -> Iterator[None]:
        """Measures the block as that part of the search."""
        started_at = perf_counter()
        yield
        self.spent_ms[f"{part}_ms"] = _ms_since(started_at)

    def timings(self) -> Timings:
        """Returns the times of the measured parts, and the total until now."""
        return Timings(**self.spent_ms, total_ms=_ms_since(self.started_at))


def _ms_since(started_at: float) -> float:
    return 1000 * (perf_counter() - started_at)
