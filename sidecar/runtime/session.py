"""What computes a graph, as the rerankers see it, and the one place where it is chosen."""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from sidecar.runtime.model_folder import ModelFolder
from sidecar.runtime.onnx_session import OnnxSession
from sidecar.runtime.tokenizer import TokenSequence


class Session(Protocol):
    """A model that reads tokens; several threads may run it at once."""

    def run(self, sequences: Sequence[TokenSequence]) -> npt.NDArray[np.float32]:
        """The output for a batch: one row a sequence; rows of padding are to be left out with their lengths."""


def open_session(folder: ModelFolder, output: str, padding_id: int, device: Literal["cpu", "cuda"] = "cpu") -> Session:
    """The session that computes the array called `output`; takes a moment."""
    return OnnxSession(folder.onnx, output, padding_id, device)
