"""Versions of engines, in a form that compares."""

import re

__all__ = ["major_minor"]


def major_minor(version: str) -> tuple[int, ...]:
    """Returns the first two numbers of a version.

    >>> major_minor("8.16.0-SNAPSHOT")
    (8, 16)
    """
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
