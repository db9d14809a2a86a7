"""Progress output: a live line on a terminal, a plain line every two seconds elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

__all__ = ["download_bar", "stderr_console", "waiting"]

EVERY_S = 2.0
MEGABYTE = 1_000_000


def stderr_console() -> Console:
    """Returns the default console for progress, standard error, because standard output is for answers."""
    return Console(stderr=True, highlight=False)


@contextmanager
def download_bar(title: str, total_bytes: int | None, console: Console) -> Iterator[Callable[[int], None]]:
    """Shows bytes, out of `total_bytes` if known; yields a function that adds to them, from any thread."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total_bytes)
        lines = _Lines(console)
        lock = threading.Lock()

        def add(count: int) -> None:
            with lock:
                bar.advance(task, count)
                done = int(bar.tasks[0].completed)
                of = f" of {total_bytes / MEGABYTE:.0f}" if total_bytes is not None else ""
                lines.say(f"{title}: {done / MEGABYTE:.0f}{of} MB")

        yield add


@contextmanager
def waiting(title: str, console: Console) -> Iterator[Callable[[], None]]:
    """Shows `title` and the elapsed seconds; call the yielded function on every round of a poll."""
    started = time.monotonic()
    with console.status(title) as status:
        lines = _Lines(console)

        def tick() -> None:
            text = f"{title}, {time.monotonic() - started:.0f} s"
            status.update(text)
            lines.say(text)

        yield tick


class _Lines:
    """Prints at most one line every two seconds, and none on a terminal, which has a live line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = time.monotonic()

    def say(self, text: str) -> None:
        if self._console.is_terminal or time.monotonic() - self._last < EVERY_S:
            return
        self._last = time.monotonic()
        self._console.print(text)
