"""Counts of things in messages."""

__all__ = ["counted"]


def counted(count: int, noun: str) -> str:
    """Returns the number with its noun; `noun` is singular and its last word has a regular plural.

    >>> counted(1, "query"), counted(2, "query"), counted(0, "bad line"), counted(3, "key")
    ('1 query', '2 queries', '0 bad lines', '3 keys')
    """
    if count == 1:
        return f"1 {noun}"
    stem = f"{noun[:-1]}ie" if noun.endswith("y") and noun[-2] not in "aeiou" else noun
    return f"{count} {stem}s"
