"""Gives a graph that was traced without weights those of its model, as references to a file.

torch's older exporter holds the weights of a model several times, and this graph none.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hybridrank.training.onnx import graph_file

try:
    import onnx
    from onnx import helper
    from onnxscript import optimizer
except ImportError as error:
    raise ImportError(f"rewriting a graph needs {error.name}: pip install 'hybridrank[train]'") from error

__all__ = ["attach"]

FILE = "weights"
SWAPPED = [1, 0]


def attach(path: Path, weights: Mapping[str, torch.Tensor], inputs: tuple[str, ...]) -> None:
    """Rewrites the graph at `path`, whose weights are inputs beside `inputs`, and writes the weights beside it.

    A matrix that the graph only reads transposed is written so.
    """
    model = onnx.load(str(path))
    graph = model.graph
    names = [each.name for each in graph.input if each.name not in inputs]
    swapped = {node.output[0]: node.input[0] for node in graph.node if _swaps(node, set(names))}
    kept = [node for node in graph.node if node.output[0] not in swapped]
    read = {name for node in kept for name in node.input}
    with path.with_name(FILE).open("wb") as file:
        for name in [*(each for each in names if each in read), *swapped]:
            weight = weights[swapped[name]].T if name in swapped else weights[name]
            values = weight.detach().numpy()
            data_type = helper.np_dtype_to_tensor_dtype(values.dtype)
            tensor = onnx.TensorProto(name=name, dims=values.shape, data_type=data_type)
            if values.nbytes <= graph_file.HELD:
                tensor.raw_data = values.tobytes()
            else:
                graph_file.refer(tensor, FILE, file.tell())
                values.tofile(file)
            graph.initializer.append(tensor)
    for field, left in ((graph.node, kept), (graph.input, [each for each in graph.input if each.name in inputs])):
        copies = [type(each).FromString(each.SerializeToString()) for each in left]
        del field[:]
        field.extend(copies)
    optimizer.fold_constants(model, input_size_limit=graph_file.HELD, output_size_limit=graph_file.HELD)
    graph_file.write(model, path, path.parent)


def _swaps(node: Any, weights: set[str]) -> bool:
    if node.op_type != "Transpose" or node.input[0] not in weights:
        return False
    return any(each.name == "perm" and list(each.ints) == SWAPPED for each in node.attribute)
