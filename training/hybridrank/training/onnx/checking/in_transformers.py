"""Opens a checkpoint as transformers computes it, in place of the graph that was exported of it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from hybridrank.model_files.model_folder import ModelFolder
from hybridrank.sidecar.in_process import OpenSession, TokenSequence, padded
from hybridrank.training.onnx import original
from hybridrank.training.onnx.families import registry
from hybridrank.training.onnx.families.plan import Asked
from hybridrank.training.onnx.original import Original
from hybridrank.training.onnx.sources.checkpoint import open_checkpoint

__all__ = ["in_transformers"]


class _Session:
    rounds = False

    def __init__(self, loaded: Original, padding_id: int) -> None:
        self._loaded, self._padding_id = loaded, padding_id

    def run(self, sequences: Sequence[TokenSequence]) -> npt.NDArray[np.float32]:
        """Returns torch's output for a batch, on one thread."""
        rows = padded(sequences, self._padding_id)
        inputs = {name: torch.from_numpy(rows[name]) for name in self._loaded.names}
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with torch.inference_mode():
                found = self._loaded.model(**inputs)[self._loaded.output]
        finally:
            torch.set_num_threads(threads)
        return np.asarray(found.numpy(), dtype=np.float32)


def in_transformers(source: str, asked: Asked) -> OpenSession:
    """Loads a checkpoint as an export does; raises ExportFailed."""
    checkpoint = open_checkpoint(source)
    loaded = original.load(checkpoint, registry.plan(checkpoint, asked))

    def opened(_folder: ModelFolder, _output: str, padding_id: int) -> _Session:
        return _Session(loaded, padding_id)

    return opened
