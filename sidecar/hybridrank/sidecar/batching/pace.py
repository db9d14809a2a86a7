"""How fast the models compute here, and how far estimates of tokens are off, as measured while they do."""

import time
from collections.abc import Callable

FORGET = 0.98  # what a batch weighs after the next: about the last fifty decide
# A speed counts for so long. Without this, one that was measured on a bad moment would refuse every request, and
# nothing would ever be computed that could correct it.
FRESH_S = 5.0


class Pace:
    """Seconds of one core a token, for each model; 0 until a batch has been computed, and when none was for a while."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._measured: dict[str, tuple[float, float, float]] = {}
        self._counted: dict[str, tuple[float, float]] = {}

    def measured(self, model: str, tokens: int, seconds: float) -> None:
        """A batch of `tokens` took `seconds`."""
        all_tokens, all_seconds, _ = self._measured.get(model, (0.0, 0.0, 0.0))
        self._measured[model] = (FORGET * all_tokens + tokens, FORGET * all_seconds + seconds, self._clock())

    def seconds(self, model: str, tokens: int) -> float:
        """How long one core needs for `tokens`."""
        if model not in self._measured:
            return 0.0
        all_tokens, all_seconds, measured_at = self._measured[model]
        return tokens * all_seconds / all_tokens if self._clock() - measured_at <= FRESH_S else 0.0

    def counted(self, model: str, estimate: int, tokens: int) -> None:
        """A request of about `estimate` tokens had so many."""
        estimates, counts = self._counted.get(model, (0.0, 0.0))
        self._counted[model] = (FORGET * estimates + estimate, FORGET * counts + tokens)

    def tokens(self, model: str, estimate: int) -> int:
        """How many an estimate is likely to be, as the texts of late were; the estimate itself until there were any."""
        estimates, counts = self._counted.get(model, (0.0, 0.0))
        return round(estimate * counts / estimates) if estimates else estimate
