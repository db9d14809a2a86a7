"""How fast the models compute here, as measured while they do."""

FORGET = 0.98  # what a batch weighs after the next: about the last fifty decide


class Pace:
    """Seconds of one core a token, for each model; 0 until a model has computed its first batch."""

    def __init__(self) -> None:
        self._measured: dict[str, tuple[float, float]] = {}

    def measured(self, model: str, tokens: int, seconds: float) -> None:
        """A batch of `tokens` took `seconds`."""
        all_tokens, all_seconds = self._measured.get(model, (0.0, 0.0))
        self._measured[model] = (FORGET * all_tokens + tokens, FORGET * all_seconds + seconds)

    def seconds(self, model: str, tokens: int) -> float:
        """How long one core needs for `tokens`."""
        all_tokens, all_seconds = self._measured.get(model, (1.0, 0.0))
        return tokens * all_seconds / all_tokens
