"""The interface that runs a graph, and the only place that chooses its implementation."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from hybridrank.common.model_info import ModelInfo
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.model_folder import ModelFolder
from hybridrank.sidecar.runtime.onnx_session import OnnxSession
from hybridrank.sidecar.runtime.precision import Runtime
from hybridrank.sidecar.runtime.tokenizer import TokenSequence


class Session(Protocol):
    """A model that reads tokens; several threads may run it at once.

    `rounds` is True if it computes an fp32 graph in bf16.
    """

    rounds: bool

    def run(self, sequences: Sequence[TokenSequence]) -> npt.NDArray[np.float32]:
        """Returns the output for a batch: one row per sequence; leave out rows of padding by the lengths."""


OpenSession: TypeAlias = Callable[[ModelFolder, str, int], Session]
"""Opens another computation of a folder: takes it, the name of its output and the id of padding."""

_in_place: ContextVar[OpenSession | None] = ContextVar("in_place", default=None)


@contextmanager
def computed_by(open_one: OpenSession) -> Iterator[None]:
    """Loads models in this block around other sessions than those of their folders, to compare with them."""
    token = _in_place.set(open_one)
    try:
        yield
    finally:
        _in_place.reset(token)


def open_session(
    folder: ModelFolder,
    output: str,
    padding_id: int,
    device: Literal["cpu", "cuda"] = "cpu",
    runtime: Runtime = "onnx",
) -> Session:
    """Opens a session that computes the array named `output`; takes a moment."""
    if in_place := _in_place.get():
        return in_place(folder, output, padding_id)
    if runtime == "onnx":
        return OnnxSession(folder.onnx, output, padding_id, device)
    try:
        from hybridrank.sidecar.runtime.openvino_session import OpenVinoSession
    except ImportError as error:
        raise BadModelFolder(folder.path, str(error)) from error
    return OpenVinoSession(folder.onnx, output, padding_id)


def served(folder: ModelFolder, session: Session) -> ModelInfo:
    """Returns information for callers, with the precision that is really computed."""
    return replace(folder.info, precision="bf16") if session.rounds else folder.info
