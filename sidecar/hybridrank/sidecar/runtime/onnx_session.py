"""Runs one ONNX model on one core at a time, or on a GPU; several threads may run it at once."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hybridrank.model_files.errors import BadModelFolder
from hybridrank.sidecar.runtime.precision import CUDA
from hybridrank.sidecar.runtime.tokenizer import TokenSequence

# Since 1.29 ONNX Runtime's wheels send telemetry to their vendor unless this is set before their import.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime

NUMPY_INTEGERS: dict[str, type[np.signedinteger[Any]]] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
# With an addition and a layer norm fused into one operator, exported models took 11 to 13 % more time than with the two
# separate, on a core with AVX-512; no other option had more effect than noise (docs/models.md, "int8 or fp32").
SLOWER_FUSIONS = ["SkipLayerNormFusion"]


class OnnxSession:
    """A model that reads tokens and returns the array named `output`.

    One core per run: the sidecar spreads texts over cores, which is faster than spreading one text over them
    (docs/sidecar.md has the figures) and needs no thread pool that spins or competes with another model's. The memory
    arena is off: it never returns memory after a long batch, and a run without it was measured to be as fast.
    """

    rounds = False

    def __init__(self, path: Path, output: str, padding_id: int, device: Literal["cpu", "cuda"] = "cpu") -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        providers = [*([CUDA] if device == "cuda" else []), "CPUExecutionProvider"]
        self._session = _open(path, options, providers)
        if device == "cuda" and CUDA not in self._session.get_providers():  # it logs this and continues
            raise BadModelFolder(
                path.parent, "device cuda: ONNX Runtime can use no GPU here; its own lines above say why"
            )
        self._output = output
        self._padding_id = padding_id
        self._integers = {}
        for declared in self._session.get_inputs():
            if declared.name not in INPUTS or declared.type not in NUMPY_INTEGERS:
                raise BadModelFolder(
                    path.parent,
                    f"{path.name} has an input {declared.name} of {declared.type}; "
                    f"expected are {', '.join(INPUTS)} of int32 or int64",
                )
            self._integers[declared.name] = NUMPY_INTEGERS[declared.type]
        outputs = [declared.name for declared in self._session.get_outputs()]
        if output not in outputs:
            raise BadModelFolder(path.parent, f"{path.name} has no output {output}; it has {', '.join(outputs)}")

    def run(self, sequences: Sequence[TokenSequence]) -> npt.NDArray[np.float32]:
        """Returns the output for a batch: one row per sequence; leave out rows of padding by the lengths."""
        rows = padded(sequences, self._padding_id)
        feed = {name: rows[name].astype(integer, copy=False) for name, integer in self._integers.items()}
        (output,) = self._session.run([self._output], feed)
        return np.asarray(output, dtype=np.float32)


def available_providers() -> list[str]:
    """Returns the providers in this build of ONNX Runtime, best first; a GPU may still be absent."""
    return list(onnxruntime.get_available_providers())


def _open(path: Path, options: Any, providers: list[str]) -> Any:
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers, disabled_optimizers=SLOWER_FUSIONS)
    except Exception as error:  # its classes have no other common base class
        raise BadModelFolder(path.parent, f"{path.name} cannot be read by ONNX Runtime: {error}") from error


def padded(sequences: Sequence[TokenSequence], padding_id: int) -> dict[str, npt.NDArray[np.int64]]:
    """Returns the three inputs of a BERT-like model, each (n, longest), padded on the right."""
    shape = (len(sequences), max(len(sequence) for sequence in sequences))
    inputs = {name: np.zeros(shape, dtype=np.int64) for name in INPUTS}
    inputs["input_ids"] += padding_id
    for row, sequence in enumerate(sequences):
        inputs["input_ids"][row, : len(sequence)] = sequence.token_ids
        inputs["attention_mask"][row, : len(sequence) - sequence.unattended] = 1
        inputs["token_type_ids"][row, : len(sequence)] = sequence.segment_ids
    return inputs
