"""Measured speed of the models on this machine, and the measured error of token estimates."""

import time
from collections.abc import Callable

FORGET = 0.98  # weight of a batch relative to the next: about the last fifty decide
# Validity of a measured speed. Without a limit, a speed from a bad moment would refuse every request, and nothing would
# ever be computed that could correct it.
FRESH_S = 5.0


class Pace:
    """Seconds per token on one core, for each model; 0 before the first batch, and after a while without one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._measured: dict[str, tuple[float, float, float]] = {}
        self._counted: dict[str, tuple[float, float]] = {}

    def measured(self, model: str, tokens: int, seconds: float) -> None:
        """Records a batch of `tokens` that took `seconds`."""
        all_tokens, all_seconds, _ = self._measured.get(model, (0.0, 0.0, 0.0))
        self._measured[model] = (FORGET * all_tokens + tokens, FORGET * all_seconds + seconds, self._clock())

    def seconds(self, model: str, tokens: int) -> float:
        """Returns the time that one core needs for `tokens`."""
        if model not in self._measured:
            return 0.0
        all_tokens, all_seconds, measured_at = self._measured[model]
        return tokens * all_seconds / all_tokens if self._clock() - measured_at <= FRESH_S else 0.0

    def counted(self, model: str, estimate: int, tokens: int) -> None:
        """Records the true token count of a request that was estimated as `estimate`."""
        estimates, counts = self._counted.get(model, (0.0, 0.0))
        self._counted[model] = (FORGET * estimates + estimate, FORGET * counts + tokens)

    def tokens(self, model: str, estimate: int) -> int:
        """Corrects an estimate by recent texts; returns the estimate itself if there were none."""
        estimates, counts = self._counted.get(model, (0.0, 0.0))
        return round(estimate * counts / estimates) if estimates else estimate
