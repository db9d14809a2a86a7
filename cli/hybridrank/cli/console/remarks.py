"""Lines on stderr for the log of a part of the library, while a command runs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["remarks"]


@contextmanager
def remarks(of: str) -> Iterator[None]:
    """Prints what the logger `of` and those below it say at level info and above."""
    logger, handler = logging.getLogger(of), logging.StreamHandler()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
