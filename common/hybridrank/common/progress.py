"""Progress of long tasks. A library reports it through this interface; the command line prints it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

__all__ = ["Progress", "Silent"]


class Progress(Protocol):
    """Receives the steps of a task, and notes for the user."""

    def step(self, title: str, total: int | None = None) -> AbstractContextManager[Callable[[int], None]]:
        """Returns the context of a step; call what it yields with the number of parts that were done since."""
        ...

    def note(self, text: str) -> None:
        """Reports a line of text."""
        ...


class Silent:
    """A progress that reports nothing."""

    @contextmanager
    def step(self, title: str, total: int | None = None) -> Iterator[Callable[[int], None]]:  # noqa: ARG002
        """Yields a function that does nothing."""
        yield lambda _count: None

    def note(self, text: str) -> None:
        """Ignores the text."""
