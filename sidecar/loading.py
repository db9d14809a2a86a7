"""Brings model folders into memory: each is read, verified and tried before a call can find it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import structlog

from sidecar.errors import BadModelFolder
from sidecar.registry import LoadedModel, Models
from sidecar.rerankers.colbert import ColbertReranker
from sidecar.rerankers.cross_encoder import CrossEncoderReranker
from sidecar.rerankers.dense import DenseEncoder
from sidecar.runtime import model_folder
from sidecar.runtime.model_scan import Found, newest_first, scan
from sidecar.types import TextKind

__all__ = ["load", "load_folder", "self_check"]

log = structlog.get_logger("sidecar")

SELF_CHECK = ("what does a sidecar do", ("A sidecar scores passages beside the search engine.", ""))


def load(roots: Sequence[Path], *, keep_versions: int = 1) -> Models:
    """Load the model folders at or below `roots`, of each name the newest `keep_versions`; a second a model or so.

    A bad folder is passed over where another version of the name can serve; otherwise, BadModelFolder.
    """
    by_name: dict[str, list[Found]] = {}
    for root in roots:
        for found in _scan(root):
            by_name.setdefault(found.name, []).append(found)
    models = Models(keep_versions=keep_versions)
    for versions in by_name.values():
        for model in reversed(_newest(versions, keep_versions)):
            try:
                models.put(model)
            except ValueError as error:
                raise BadModelFolder(versions[0].path, str(error)) from error
    return models


def load_folder(path: Path) -> LoadedModel:
    """Read, verify and try one folder; BadModelFolder says what is wrong with it. Not for the event loop."""
    folder = model_folder.read(path)
    if isinstance(folder.toml, model_folder.EncoderToml):
        encoder = DenseEncoder(folder, folder.toml)
        model = LoadedModel(folder.info, ColbertReranker(encoder), encoder)
    else:
        model = LoadedModel(folder.info, CrossEncoderReranker(folder))
    if problem := self_check(model):
        raise BadModelFolder(path, f"the model loads but does not work here: {problem}")
    return model


def self_check(model: LoadedModel) -> str | None:
    """Compute a few scores and a vector; what is wrong with them, None for nothing."""
    query, passages = SELF_CHECK
    scores = model.reranker.score(model.reranker.tokenize(query, passages))
    if scores.shape != (len(passages),) or not np.isfinite(scores).all():
        return f"{len(passages)} passages got the scores {scores.tolist()}"
    if model.encoder:
        vectors = model.encoder.embed(model.encoder.tokenize_texts(passages, TextKind.DOCUMENT))
        wanted = (len(passages), model.info.dimensions)
        if vectors.shape != wanted or not np.isfinite(vectors).all():
            return f"vectors of shape {vectors.shape} came back, or some not finite; model.toml says {wanted}"
    return None


def _scan(root: Path) -> tuple[Found, ...]:
    try:
        found = scan([root])
    except OSError as error:
        raise BadModelFolder(root, f"cannot be read: {error}") from error
    if not found:
        raise BadModelFolder(root, "no model.toml here, nor in a folder below; `hybridrank model export` makes one")
    return found


def _newest(versions: Sequence[Found], count: int) -> list[LoadedModel]:
    """The newest that load, at least one, newest first."""
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
