"""Runs one ONNX model with OpenVINO, on one core at a time; several threads may run it at once."""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hybridrank.model_files.errors import BadModelFolder
from hybridrank.sidecar.runtime.cpu import usable_cores
from hybridrank.sidecar.runtime.onnx_session import INPUTS, padded
from hybridrank.sidecar.runtime.tokenizer import TokenSequence

# OpenVINO sends telemetry to its vendor on import, unless this package cannot be imported.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
try:
    import openvino
except ImportError as error:
    raise ImportError("runtime openvino needs its package: pip install 'hybridrank[openvino]'") from error


class OpenVinoSession:
    """An fp32 model, with the interface of OnnxSession; `rounds` is True if it computes in bf16.

    OpenVINO does so by itself if the CPU multiplies bf16, and is no faster than ONNX Runtime if it computes fp32
    (docs/sidecar.md has the figures). There is one stream per core with one thread each, because the sidecar assigns
    cores to texts; threads are not pinned, so that two models do not compete for one core.
    """

    def __init__(self, path: Path, output: str, padding_id: int) -> None:
        cores = usable_cores()
        properties = {"NUM_STREAMS": cores, "INFERENCE_NUM_THREADS": cores, "ENABLE_CPU_PINNING": False}
        try:
            self._model = openvino.Core().compile_model(path, "CPU", properties)
        except RuntimeError as error:
            raise BadModelFolder(path.parent, f"{path.name} cannot be read by OpenVINO: {error}") from error
        self._inputs = [port.any_name for port in self._model.inputs]
        if unknown := set(self._inputs) - set(INPUTS):
            raise BadModelFolder(
                path.parent, f"{path.name} has the input {', '.join(sorted(unknown))}; expected are {', '.join(INPUTS)}"
            )
        outputs = [port.any_name for port in self._model.outputs]
        if output not in outputs:
            raise BadModelFolder(path.parent, f"{path.name} has no output {output}; it has {', '.join(outputs)}")
        self._output = output
        self._padding_id = padding_id
        self._of_thread = threading.local()
        self.rounds: bool = self._model.get_property("INFERENCE_PRECISION_HINT") != openvino.Type.f32

    def run(self, sequences: Sequence[TokenSequence]) -> npt.NDArray[np.float32]:
        """Returns the output for a batch: one row per sequence; leave out rows of padding by the lengths."""
        if not hasattr(self._of_thread, "request"):  # a request has its own memory and computes one batch
            self._of_thread.request = self._model.create_infer_request()
        request = self._of_thread.request
        rows = padded(sequences, self._padding_id)
        request.infer({name: rows[name] for name in self._inputs})
        return np.array(request.get_tensor(self._output).data, dtype=np.float32)
