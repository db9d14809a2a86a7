"""Progress of a step: a live bar on a terminal; elsewhere a line for each tenth of it, or every half minute."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["ConsoleProgress", "progress"]

EVERY_S = 30.0
TENTHS = 10
LEAST_S = 1.5  # least time between two lines; short steps print none


@contextmanager
def progress(title: str, console: Console, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Shows `title` and the share of `total` that is done; yields a function that adds to it.

    Without a total, shows only the time. A thread prints the lines, so that a long step without progress appears too.
    """
    started = time.monotonic()
    if console.is_terminal:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, *([MofNCompleteColumn()] if total else []), console=console, transient=True) as bar:
            task = bar.add_task(title, total=total)
            yield lambda count: bar.advance(task, count)
    else:
        lines = _Lines(title, console, total, started)
        try:
            yield lines.add
        finally:
            lines.stop()
    console.print(f"{title}: {time.monotonic() - started:.1f} s", markup=False)


class ConsoleProgress:
    """Progress on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def step(self, title: str, total: int | None = None) -> AbstractContextManager[Callable[[int], None]]:
        """Shows a step, as `progress` does."""
        return progress(title, self._console, total)

    def note(self, text: str) -> None:
        """Prints a line."""
        self._console.print(text, markup=False)


class _Lines:
    """Prints a line for each tenth that is done, and from a thread if there was none for EVERY_S."""

    def __init__(self, title: str, console: Console, total: int | None, started: float) -> None:
        self._title, self._console, self._total, self._started = title, console, total, started
        self._done = 0
        self._tenths = 0
        self._printed_at = started
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, count: int) -> None:
        self._done += count
        tenths = TENTHS * self._done // self._total if self._total else 0
        if self._tenths < tenths < TENTHS and time.monotonic() - self._printed_at >= LEAST_S:
            self._print()
        self._tenths = tenths

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(max(0.01, self._printed_at + EVERY_S - time.monotonic())):
            if time.monotonic() >= self._printed_at + EVERY_S:
                self._print()

    def _print(self) -> None:
        self._printed_at = time.monotonic()
        count = f" {self._done} of {self._total}," if self._total else ""
        self._console.print(f"{self._title}:{count} {self._printed_at - self._started:.0f} s", markup=False)
