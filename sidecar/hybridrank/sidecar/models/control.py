"""Changes the models of a running sidecar: one change at a time, each in one step, while calls continue."""

import asyncio
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from hybridrank.common.model_info import ModelInfo
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.sidecar.errors import InvalidArgument, ModelRefused
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.models.loading import LoadFolder
from hybridrank.sidecar.models.trial import load_model
from hybridrank.sidecar.rerankers.kind import LoadedModel

__all__ = ["ModelControl"]

log = structlog.get_logger("sidecar")


class ModelControl:
    """Loads and unloads. A model is read and tested in a thread while the others serve; a bad one changes nothing.

    Running calls keep their model; its memory is freed after the last of them has ended. `outcomes` counts `loaded`,
    `refused` and `unloaded` models. Use it from one event loop.
    """

    def __init__(self, models: Models, roots: Sequence[Path], load_folder: LoadFolder = load_model) -> None:
        self.models = models
        self.outcomes: Counter[str] = Counter()
        self._roots = roots
        self._load_folder = load_folder
        self._lock = asyncio.Lock()
        self._listeners: list[Callable[[], Awaitable[None]]] = []

    def listen(self, listener: Callable[[], Awaitable[None]]) -> None:
        """Registers `listener`, which is called after each change."""
        self._listeners.append(listener)

    async def load(self, path: str | Path) -> ModelInfo:
        """Loads the model in this folder and points its name to it; drops older versions that are not kept.

        Raises InvalidArgument for a folder outside the model folders, ModelRefused for one that cannot serve.
        """
        folder = self._folder(path)
        async with self._lock:
            try:
                model = await asyncio.to_thread(self._load_folder, folder)
                before = set(self.models)
                try:
                    self.models.put(model)
                except ValueError as error:
                    raise BadModelFolder(folder, str(error)) from error
            except BadModelFolder as error:
                self.outcomes["refused"] += 1
                log.error("model refused", error=str(error))
                raise ModelRefused(str(error)) from error
            self.outcomes["loaded"] += 1
            log.info("model loaded", model=model.info.name, version=model.info.version, digest=model.info.digest)
            await self._changed(before - set(self.models))
            return model.info

    async def unload(self, word: str) -> tuple[ModelInfo, ...]:
        """Drops a name with all its versions, or a name:version; raises ModelNotFound for any other word."""
        async with self._lock:
            gone = self.models.remove(word)
            infos = tuple(model.info for model in gone)
            await self._changed(set(gone))
            return infos

    async def _changed(self, gone: set[LoadedModel]) -> None:
        for model in gone:
            if model.remote:
                await model.remote.client.close()  # running calls still finish
            self.outcomes["unloaded"] += 1
            log.info("model unloaded", model=model.info.name, version=model.info.version)
            weakref.finalize(model, log.info, "model released", model=model.info.name, version=model.info.version)
        for listener in self._listeners:
            await listener()

    def _folder(self, path: str | Path) -> Path:
        """Returns the folder, if it is inside one of the model folders."""
        for root in self._roots:
            with suppress(OSError, ValueError, RuntimeError):  # a name that is too long, a NUL, a link to itself
                folder = (root / path).resolve()
                if folder.is_relative_to(root.resolve()) and folder.is_dir():
                    return folder
        roots = ", ".join(map(str, self._roots))
        raise InvalidArgument("path", f"{str(path)!r} is no folder at or below {roots}, the sidecar's model folders")
