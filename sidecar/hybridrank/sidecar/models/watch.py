"""Watches the model folders: loads new models and removes deleted ones."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import structlog

from hybridrank.common.error_text import os_problem
from hybridrank.sidecar.errors import ModelNotFound, ModelRefused
from hybridrank.sidecar.models.control import ModelControl
from hybridrank.sidecar.models.scan import Found, newest_first, scan

__all__ = ["ModelWatch"]

log = structlog.get_logger("sidecar")


class ModelWatch:
    """Checks every `every_s` seconds. If the folders of a name have changed, its newest `keep_versions` serve.

    `known` are the folders before the models were loaded: later writes are changes. Only a change counts: a model that
    a call loaded or unloaded stays so until then. A bad folder changes nothing, and is not tried again before one of
    its files is written. An unreadable root also changes nothing, because it is not an empty one.
    """

    def __init__(
        self,
        control: ModelControl,
        roots: Sequence[Path],
        *,
        known: Iterable[Found],
        every_s: float,
        keep_versions: int = 1,
    ) -> None:
        self._control = control
        self._roots = roots
        self._every_s = every_s
        self._keep_versions = keep_versions
        self._seen = frozenset(known)

    async def run(self) -> None:
        """Checks until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Checks once."""
        try:
            found = frozenset(await asyncio.to_thread(scan, self._roots))
        except OSError as error:
            log.error("model folders cannot be read", error=os_problem(error))
            return
        seen, self._seen = self._seen, found
        for name in sorted({each.name for each in found ^ seen}):
            await self._settle(name, [each for each in found if each.name == name])

    async def _settle(self, name: str, folders: Sequence[Found]) -> None:
        """Makes the newest of `folders` serve, and no other version of that name."""
        wanted = newest_first(folders)[: self._keep_versions]
        try:
            for each in reversed(wanted):
                await self._control.load(each.path)
            kept = {each.version for each in wanted}
            for model in list(self._control.models):
                if model.info.name == name and model.info.version not in kept:
                    await self._control.unload(f"{name}:{model.info.version}")
        except (ModelRefused, ModelNotFound):
            return  # logged there; the serving models continue
