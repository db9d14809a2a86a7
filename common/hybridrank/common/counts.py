"""Counts and long lists in messages."""

from collections.abc import Iterator, Sequence

__all__ = ["counted", "first_lines"]


def counted(count: int, noun: str) -> str:
    """Returns the number with its noun; `noun` is singular and its last word has a regular plural.

    >>> counted(1, "query"), counted(2, "query"), counted(0, "bad line"), counted(3, "key")
    ('1 query', '2 queries', '0 bad lines', '3 keys')
    """
    if count == 1:
        return f"1 {noun}"
    stem = f"{noun[:-1]}ie" if noun.endswith("y") and noun[-2] not in "aeiou" else noun
    return f"{count} {stem}s"


def first_lines(label: str, items: Sequence[object], shown: int = 10) -> Iterator[str]:
    """Yields a line for each of the first items, and one with the number of the others.

    >>> list(first_lines("rejected", ["a", "b", "c"], shown=2))
    ['rejected: a', 'rejected: b', 'and 1 more']
    """
    for item in items[:shown]:
        yield f"{label}: {item}"
    if len(items) > shown:
        yield f"and {len(items) - shown} more"
