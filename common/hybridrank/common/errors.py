"""What is wrong with a file that a user wrote: the whole file, or one line of it."""

import logging
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BadFile", "BadLine", "log_bad_line"]


class BadFile(ValueError):
    """A file cannot be read; the message names the file, the line where there is one, and what to do."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be used: its file, its 1-based number and the reason."""

    path: Path
    number: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.number}: {self.reason}"


def log_bad_line(line: BadLine) -> None:
    """Log a line that is skipped, where nobody else is told."""
    logging.getLogger(__name__).warning("%s", line)
