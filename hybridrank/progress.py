"""Show that something is happening: a live bar on a terminal, a plain line every second and a half elsewhere."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

__all__ = ["progress"]

EVERY_S = 1.5


@contextmanager
def progress(title: str, console: Console, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show `title` with how many of `total` are done; call what it yields with how many more are done.

    Without a total there is only the time. The lines come from a thread, so a step that takes long is shown as well.
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


class _Lines:
    """Prints a line every EVERY_S from a thread of its own until `stop`."""

    def __init__(self, title: str, console: Console, total: int | None, started: float) -> None:
        self._title, self._console, self._total, self._started = title, console, total, started
        self._done = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, count: int) -> None:
        self._done += count

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(EVERY_S):
            count = f" {self._done} of {self._total}," if self._total else ""
            self._console.print(f"{self._title}:{count} {time.monotonic() - self._started:.0f} s", markup=False)
