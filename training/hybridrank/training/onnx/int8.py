"""Quantises a model folder to int8 beside its fp32, and tests it on golden pairs. Needs the `onnx` package."""

import logging
from collections.abc import Sequence
from pathlib import Path

from hybridrank.model_files import model_folder
from hybridrank.model_files.model_folder import FP32_ONNX, OnnxToml
from hybridrank.model_files.self_test import GoldenPairs, Verdict
from hybridrank.sidecar import in_process

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
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    (folder / "model.onnx").rename(folder / FP32_ONNX)
    logging.disable(logging.WARNING)  # it asks for a preprocessing that changes nothing here
    try:
        graph = onnx.load(str(folder / FP32_ONNX))
        del graph.graph.value_info[:]  # shapes that torch's exporter leaves behind, some of them wrong
        quantize_dynamic(
            graph,
            folder / "model.onnx",
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},  # it cannot infer types behind fused operators
        )
    finally:
        logging.disable(logging.NOTSET)
    return toml.model_copy(update={"precision": "int8", "reduced_range": True})
