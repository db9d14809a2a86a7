"""Time in which this process stood still: others had its cores, or the collector held every thread.

An answer is late by as much, whatever the code does. Code that blocks the event loop alone is no stall: this thread
goes on.
"""

import threading
import time

from typing_extensions import Self

__all__ = ["Stalls"]

TICK_S = 0.005
LATE_S = 0.02  # a thread waits its turn for a few milliseconds


class Stalls:
    """Use as a context; `seconds` is the sum of what was lost."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(TICK_S):
            now = time.monotonic()
            if now - last > LATE_S:
                self.seconds += now - last - TICK_S
            last = now
