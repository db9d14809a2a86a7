"""The root of all errors of hybridrank, and errors in a file that a user wrote: in the whole file, or in one line."""

import logging
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BadFile", "BadLine", "HybridrankError", "log_bad_line"]


class HybridrankError(Exception):
    """Base class of every error that hybridrank defines."""


class BadFile(HybridrankError, ValueError):
    """The file cannot be read; the message names the file, the line if known, and what to do."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be used: its file, its 1-based number and the reason."""

    path: Path
    number: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}:{self.number}: {self.reason}"


def log_bad_line(line: BadLine) -> None:
    """Logs a skipped line; used when no other report is set."""
    logging.getLogger(__name__).warning("%s", line)
