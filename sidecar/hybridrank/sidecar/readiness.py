"""Readiness of the sidecar: one answer, which each protocol reports in its own way."""

from collections.abc import Awaitable, Callable


class Readiness:
    """Ready while there is no reason against it. Use it from one event loop."""

    def __init__(self) -> None:
        self._reasons: set[str] = set()
        self._listeners: list[Callable[[bool], Awaitable[None]]] = []

    @property
    def reasons(self) -> tuple[str, ...]:
        """Reasons against it, in alphabetical order; empty if ready."""
        return tuple(sorted(self._reasons))

    def listen(self, listener: Callable[[bool], Awaitable[None]]) -> None:
        """Registers `listener`, which is called with True or False whenever the answer changes."""
        self._listeners.append(listener)

    async def block(self, reason: str) -> None:
        """Makes it not ready, for this reason, until the reason is cleared."""
        await self._change(self._reasons | {reason})

    async def clear(self, reason: str) -> None:
        """Removes this reason."""
        await self._change(self._reasons - {reason})

    async def _change(self, reasons: set[str]) -> None:
        changed = bool(reasons) != bool(self._reasons)
        self._reasons = reasons
        if changed:
            for listener in self._listeners:
                await listener(not reasons)
