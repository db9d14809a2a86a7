"""What computes a graph, as the rerankers see it, and the one place where it is chosen."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from hybridrank.model_files.model_folder import ModelFolder
from hybridrank.sidecar.errors import BadModelFolder
from hybridrank.sidecar.runtime.onnx_session import OnnxSession
from hybridrank.sidecar.runtime.precision import Runtime
from hybridrank.sidecar.runtime.tokenizer import TokenSequence
from hybridrank.sidecar.types import ModelInfo


class Session(Protocol):
    """A model that reads tokens; several threads may run it at once.

    `rounds` where it computes an fp32 graph in bf16.
    """

    rounds: bool

    def run(self, sequences: Sequence[TokenSequence]) -> npt.NDArray[np.float32]:
        """The output for a batch: one row a sequence; rows of padding are to be left out with their lengths."""


def open_session(
    folder: ModelFolder,
    output: str,
    padding_id: int,
    device: Literal["cpu", "cuda"] = "cpu",
    runtime: Runtime = "onnx",
) -> Session:
    """The session that computes the array called `output`; takes a moment."""
    if runtime == "onnx":
        return OnnxSession(folder.onnx, output, padding_id, device)
    try:
        from hybridrank.sidecar.runtime.openvino_session import OpenVinoSession
    except ImportError as error:
        raise BadModelFolder(folder.path, str(error)) from error
    return OpenVinoSession(folder.onnx, output, padding_id)


def served(folder: ModelFolder, session: Session) -> ModelInfo:
    """What callers may know, with the precision that is really computed."""
    return replace(folder.info, precision="bf16") if session.rounds else folder.info
