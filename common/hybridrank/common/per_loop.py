"""One resource for each event loop, because connections work only in the loop that opened them.

A program may run several loops, one after the other (`asyncio.run` twice) or in parallel (threads), and a forked child
has its own loops. Each loop gets a resource on first use. Resources of ended loops are closed at that time; resources
that a child inherited are not touched, because their sockets are shared with the parent.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

__all__ = ["PerLoop"]

T = TypeVar("T")


class PerLoop(Generic[T]):
    """`open_` creates a resource in the running loop; `close` closes one, in any loop."""

    def __init__(self, open_: Callable[[], T], close: Callable[[T], Awaitable[None]]) -> None:
        self._open, self._close = open_, close
        self._by_loop: dict[asyncio.AbstractEventLoop, T] = {}
        self._pid = os.getpid()
        self._inherited: list[dict[asyncio.AbstractEventLoop, T]] = []  # kept, so that they are never finalised

    async def here(self) -> T:
        """Returns the resource of the running loop."""
        loop, by_loop = asyncio.get_running_loop(), self.by_loop
        if loop not in by_loop:
            by_loop[loop] = self._open()
            for ended in [each for each in by_loop if each.is_closed()]:
                await self._close(by_loop.pop(ended))
        return by_loop[loop]

    @property
    def by_loop(self) -> dict[asyncio.AbstractEventLoop, T]:
        """Returns all resources that this process has open."""
        if self._pid != os.getpid():
            self._inherited.append(self._by_loop)
            self._by_loop, self._pid = {}, os.getpid()
        return self._by_loop

    async def close(self) -> None:
        """Closes all resources; if a loop runs in another thread, that loop closes its own. They open again on use."""
        here, by_loop = asyncio.get_running_loop(), self.by_loop
        while by_loop:
            loop, resource = by_loop.popitem()
            if loop is not here and loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(self._closed(resource), loop)
                await asyncio.wrap_future(closing)
            else:
                await self._close(resource)

    async def _closed(self, resource: T) -> None:
        await self._close(resource)
