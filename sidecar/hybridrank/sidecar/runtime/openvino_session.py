"""Runs one ONNX model with OpenVINO, on one core at a time; several threads may run it at once."""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hybridrank.sidecar.errors import BadModelFolder
from hybridrank.sidecar.runtime.cpu import usable_cores
from hybridrank.sidecar.runtime.onnx_session import INPUTS, padded
from hybridrank.sidecar.runtime.tokenizer import TokenSequence

# OpenVINO reports to its maker as it is imported, unless this package cannot be.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
try:
    import openvino
except ImportError as error:
    raise ImportError("runtime openvino needs its package: pip install 'hybridrank[openvino]'") from error


class OpenVinoSession:
    """An fp32 model, with the interface of OnnxSession; `rounds` where it computes in bf16.

    OpenVINO does so by itself where the CPU multiplies bf16, and is no faster than ONNX Runtime where it computes fp32
    (docs/sidecar.md has the figures). A stream a core, a thread each, as the sidecar gives cores to texts; not pinned
    to them, so that two models do not fight for one.
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
        """The output for a batch: one row a sequence; rows of padding are to be left out with their lengths."""
        if not hasattr(self._of_thread, "request"):  # a request holds memory of its own and computes one batch
            self._of_thread.request = self._model.create_infer_request()
        request = self._of_thread.request
        rows = padded(sequences, self._padding_id)
        request.infer({name: rows[name] for name in self._inputs})
        return np.array(request.get_tensor(self._output).data, dtype=np.float32)
