"""Quantises a model folder to int8 beside its fp32, and tests it on golden pairs. Needs the `onnx` package."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hybridrank.model_files import model_folder
from hybridrank.model_files.model_folder import FP32_ONNX, OnnxToml
from hybridrank.model_files.self_test import GoldenPairs, Verdict
from hybridrank.sidecar import in_process
from hybridrank.training.onnx.quiet import quiet

__all__ = ["quantize", "tried"]


def tried(folder: Path, toml: OnnxToml, golden: Sequence[GoldenPairs]) -> tuple[OnnxToml, Verdict]:
    """Quantises to int8 and writes model.toml; returns it with the verdict of the golden pairs."""
    toml = quantize(folder, toml)
    model_folder.write(folder, toml)
    return toml, in_process.score_golden_pairs(in_process.load_untested(folder, "int8"), golden)


def quantize(folder: Path, toml: OnnxToml) -> OnnxToml:
    """Replaces model.onnx by int8 and keeps the original as model.fp32.onnx.

    Weights are signed, with one scale per column and only seven of their eight bits: then sums saturate on no CPU.
    """
    from hybridrank.training.onnx import graph_file, stand_ins

    graph_file.rename(folder / "model.onnx", folder / FP32_ONNX)
    graph = graph_file.read(folder / FP32_ONNX)
    del graph.graph.value_info[:]  # shapes that torch's exporter leaves behind, some of them wrong
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        replaced = stand_ins.put_in(graph, folder)
        quantised = _quantized(graph, Path(scratch) / "int8.onnx")
        stand_ins.take_out(quantised, replaced, folder, Path(scratch) / "int8.data")
        graph_file.write(quantised, folder / "model.onnx", Path(scratch))
    return toml.model_copy(update={"precision": "int8", "reduced_range": True})


def _quantized(graph: Any, path: Path) -> Any:
    """Returns the graph as ONNX Runtime quantises it, by way of a file at `path`."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with quiet():  # it asks for a preprocessing that changes nothing here
        quantize_dynamic(
            graph,
            path,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},  # it cannot infer types behind fused operators
        )
    return onnx.load(str(path))
