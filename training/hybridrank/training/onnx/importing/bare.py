"""Opens the ONNX file of a source as ONNX Runtime runs it by itself, in place of the graph that was imported of it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hybridrank.model_files.model_folder import ModelFolder
from hybridrank.sidecar.in_process import OpenSession, TokenSequence, padded
from hybridrank.training.onnx.importing import graph, layout
from hybridrank.training.onnx.importing.model import heads_of
from hybridrank.training.onnx.importing.source import open_source
from hybridrank.training.onnx.importing.weights import weight_files

__all__ = ["source_graph"]


class _Session:
    rounds = False

    def __init__(self, path: Path, output: str, padding_id: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._output, self._padding_id = output, padding_id

    def run(self, sequences: Sequence[TokenSequence]) -> npt.NDArray[np.float32]:
        """Returns the output for a batch, on one thread."""
        rows = padded(sequences, self._padding_id)
        wide = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
        feed = {each.name: rows[each.name].astype(wide[each.type]) for each in self._session.get_inputs()}
        (found,) = self._session.run([self._output], feed)
        return np.asarray(found, dtype=np.float32)


@contextmanager
def source_graph(
    path: Path,
    *,
    kind: Literal["encoder", "cross-encoder"],
    sha256: str | None = None,
    file: str | None = None,
    output: str | None = None,
    pooling: str | None = None,
) -> Iterator[OpenSession]:
    """Yields what opens the graph that `import_model` with these arguments imports, from a copy as it is.

    `pooling` is that of the imported model.
    """
    with open_source(path, sha256) as source, tempfile.TemporaryDirectory() as folder:
        chosen = layout.graph_path(source.sizes, file)
        copy = Path(folder) / "source.onnx"
        source.copy(chosen, copy)
        model = graph.parsed(copy.read_bytes())
        named = graph.checked(model, heads_of(kind, pooling), output)
        for name in weight_files(model):
            source.copy((PurePosixPath(chosen).parent / name).as_posix(), copy.with_name(name))

        def opened(_folder: ModelFolder, _output: str, padding_id: int) -> _Session:
            return _Session(copy, named, padding_id)

        yield opened
