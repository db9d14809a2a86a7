"""Quantises a graph whose matrices stay on disk: only their extremes are in memory, then some rows at a time.

The scale of a column follows from its least and its greatest entry. So ONNX Runtime's quantiser gets a matrix of two
rows, these extremes, in place of each; the integers are then computed with its scales, part by part.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import onnx
from onnxruntime.quantization.quant_utils import quantize_nparray

from hybridrank.training.onnx import graph_file

__all__ = ["put_in", "take_out"]

ACROSS_ROWS = {("MatMul", 1), ("Attention", 1), ("Gather", 0), ("EmbedLayerNormalization", 2)}
"""Inputs of operators whose scales are those of columns, or one for all; a Gemm's may be those of rows."""


def put_in(model: Any, home: Path) -> dict[str, Any]:
    """Replaces, in place, each matrix that is a reference to `home`; returns the references by name.

    References for which the quantiser has other uses are loaded.
    """
    uses: Mapping[str, set[tuple[str, int]]] = defaultdict(set)
    transposed = set()
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            uses[name].add((node.op_type, place))
            if node.op_type == "Gemm" and any(each.name == "transB" and each.i for each in node.attribute):
                transposed.add(name)
    replaced = {}
    for tensor in filter(graph_file.referred, model.graph.initializer):
        if len(tensor.dims) == 2 and tensor.name not in transposed and uses[tensor.name] <= ACROSS_ROWS:
            replaced[tensor.name] = type(tensor).FromString(tensor.SerializeToString())
            tensor.CopyFrom(onnx.numpy_helper.from_array(_extremes(tensor, home), tensor.name))
        else:
            tensor.CopyFrom(onnx.numpy_helper.from_array(graph_file.array(tensor, home), tensor.name))
    return replaced


def take_out(model: Any, replaced: Mapping[str, Any], home: Path, file: Path) -> None:
    """Makes the quantised stand-ins, in place, references to the quantised matrices, which are written to `file`."""
    tensors = {each.name: each for each in model.graph.initializer}
    with file.open("wb") as out:
        for name, original in replaced.items():
            if name in tensors:  # it was not quantised
                tensors[name].CopyFrom(onnx.numpy_helper.from_array(graph_file.array(original, home), name))
                continue
            scale, zero = (onnx.numpy_helper.to_array(tensors[f"{name}_{each}"]) for each in ("scale", "zero_point"))
            quantised = tensors[f"{name}_quantized"]
            offset = _write(original, home, quantised.data_type, scale, zero, out)
            quantised.dims[:] = original.dims
            quantised.ClearField("int32_data")
            graph_file.refer(quantised, file.name, offset)


def _extremes(tensor: Any, home: Path) -> npt.NDArray[Any]:
    found = [(rows.min(axis=0), rows.max(axis=0)) for rows in graph_file.parts(tensor, home)]
    return np.stack([np.min([low for low, _ in found], axis=0), np.max([high for _, high in found], axis=0)])


def _write(tensor: Any, home: Path, kind: int, scale: Any, zero: Any, out: BinaryIO) -> int:
    """Writes the quantised rows, and returns where they start."""
    offset = out.tell()
    for rows in graph_file.parts(tensor, home):
        quantize_nparray(kind, rows, scale, zero).tofile(out)
    return offset
