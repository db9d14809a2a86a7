"""The length of a new model's input where nobody asks for one: one rule for exports and imports. Needs no torch."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["LONGEST", "SHORTEST", "Length", "default_length"]

SHORTEST = 8
LONGEST = (
    1024  # time and memory of a text grow faster than its length: at 8,192 tokens a CPU takes minutes for one call
)


@dataclass(frozen=True)
class Length:
    """A number of tokens, and the reason for it."""

    tokens: int
    reason: str

    def __str__(self) -> str:
        return f"reads {self.tokens} tokens: {self.reason}"


def default_length(stated: Mapping[str, int | None]) -> Length | None:
    """Returns the smallest limit, at most LONGEST; None if nothing states one. `stated` has the limits by their places.

    >>> print(default_length({"max_seq_length": 512, "its positions": 8192}))
    reads 512 tokens: the limit of max_seq_length
    >>> print(default_length({"max_seq_length": None, "its positions": 8192}))
    reads 1024 tokens: the default, where the limit of its positions is 8192; --max-tokens asks for more
    """
    limit, place = min(((limit, place) for place, limit in stated.items() if limit), default=(None, ""))
    if limit is None:
        return None
    if limit <= LONGEST:
        return Length(limit, f"the limit of {place}")
    return Length(LONGEST, f"the default, where the limit of {place} is {limit}; --max-tokens asks for more")
