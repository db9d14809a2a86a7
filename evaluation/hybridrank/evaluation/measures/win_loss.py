"""Comparison per query: queries on which a pipeline is better or worse than the baseline."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["WinLoss", "win_loss"]


@dataclass(frozen=True, slots=True)
class WinLoss:
    """Queries (query_id, difference) that are better or worse than the baseline, the largest first; and ties."""

    wins: tuple[tuple[str, float], ...]
    losses: tuple[tuple[str, float], ...]
    ties: int

    @property
    def typical(self) -> tuple[str, ...]:
        """The queries of the median gain and of the median loss, as far as there are any."""
        return tuple(each[len(each) // 2][0] for each in (self.wins, self.losses) if each)


def win_loss(baseline: Mapping[str, float], values: Mapping[str, float]) -> WinLoss:
    """Compares a measure's values (query_id → value) over the baseline's queries; equal differences keep their order.

    >>> win_loss({"q1": 0.5, "q2": 1.0, "q3": 0.0, "q4": 0.0}, {"q1": 0.75, "q2": 0.0, "q3": 1.0, "q4": 0.0})
    WinLoss(wins=(('q3', 1.0), ('q1', 0.25)), losses=(('q2', -1.0),), ties=1)
    """
    differences = {query_id: values[query_id] - value for query_id, value in baseline.items()}
    by_size = sorted(differences.items(), key=lambda each: -abs(each[1]))
    return WinLoss(
        tuple(each for each in by_size if each[1] > 0),
        tuple(each for each in by_size if each[1] < 0),
        sum(each[1] == 0 for each in by_size),
    )
