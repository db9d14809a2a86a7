"""Long lists in messages."""

from collections.abc import Iterator, Sequence

__all__ = ["first_lines"]


def first_lines(label: str, items: Sequence[object], shown: int = 10) -> Iterator[str]:
    """Yields a line for each of the first items, and one with the number of the others.

    >>> list(first_lines("rejected", ["a", "b", "c"], shown=2))
    ['rejected: a', 'rejected: b', 'and 1 more']
    """
    for item in items[:shown]:
        yield f"{label}: {item}"
    if len(items) > shown:
        yield f"and {len(items) - shown} more"
