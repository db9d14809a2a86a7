"""Finds the models in the model folders and loads the newest versions of each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from hybridrank.model_files.errors import BadModelFolder
from hybridrank.models import SHIPPED
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.models.scan import Found, newest_first, scan
from hybridrank.sidecar.models.trial import load_model
from hybridrank.sidecar.rerankers.kind import LoadedModel

__all__ = ["LoadFolder", "find", "load"]

log = structlog.get_logger("sidecar")

LoadFolder = Callable[[Path], LoadedModel]


def find(roots: Sequence[Path]) -> tuple[Found, ...]:
    """The model folders at or below `roots`; raises BadModelFolder for a root that is unreadable or has none."""
    return tuple(replace(found, place=place) for place, root in enumerate(roots) for found in _scan(root))


def load(
    roots: Sequence[Path],
    *,
    keep_versions: int = 1,
    names: Mapping[str, str] | None = None,
    load_folder: LoadFolder = load_model,
) -> Models:
    """Loads the model folders at or below `roots`, the newest `keep_versions` of each name; about a second per model.

    A bad folder is skipped if another version of the name can serve; otherwise raises BadModelFolder. `names` are
    further names for loaded models; raises ValueError for one whose target model is not loaded.
    """
    by_name: dict[str, list[Found]] = {}
    for found in find(roots):
        by_name.setdefault(found.name, []).append(found)
    models = Models(keep_versions=keep_versions, names=names)
    for versions in by_name.values():
        for model in reversed(_newest(versions, keep_versions, load_folder)):
            try:
                models.put(model)
            except ValueError as error:
                raise BadModelFolder(versions[0].path, str(error)) from error
    words = models.words()
    for name, word in (names or {}).items():
        if name not in words:
            raise ValueError(f"the setting names has {name}={word}, but loaded are {', '.join(words)}")
    return models


def _scan(root: Path) -> tuple[Found, ...]:
    try:
        found = scan([root])
    except OSError as error:
        problem = f"cannot be read: {error.strerror}; look at the setting models, where {SHIPPED!r} is what ships"
        raise BadModelFolder(root, problem) from error
    if not found:
        raise BadModelFolder(root, "no model.toml here, nor in a folder below; `hybridrank model export` makes one")
    return found


def _newest(versions: Sequence[Found], count: int, load_folder: LoadFolder) -> list[LoadedModel]:
    """Returns the newest versions that load, at least one, newest first."""
    loaded: list[LoadedModel] = []
    problems: list[BadModelFolder] = []
    for found in newest_first(versions):
        if len(loaded) == count:
            break
        try:
            model = load_folder(found.path)
            if model.info.version in {other.info.version for other in loaded}:
                raise BadModelFolder(found.path, f"{model.info.name}:{model.info.version} is in another folder too")
            loaded.append(model)
        except BadModelFolder as error:
            problems.append(error)
    if not loaded:
        raise problems[0]
    for problem in problems:
        log.error("model refused", error=str(problem), serving=loaded[0].info.version)
    return loaded
