"""Separates additions from the layer norms into which ONNX Runtime's optimiser fused them, in an ONNX file.

    python -m hybridrank.training.onnx.split_norms model.onnx

Its SkipLayerNormalization takes longer on a CPU than two additions and a LayerNormalization: the shipped int8 models
are 1.2 times as fast without it (docs/models.md). The sidecar keeps ONNX Runtime from fusing them again.
"""

import argparse
from pathlib import Path
from typing import Any

try:
    import onnx
    from onnx import helper
except ImportError as error:
    raise ImportError(f"rewriting a graph needs {error.name}: pip install 'hybridrank[train]'") from error

__all__ = ["split_norms"]


def split_norms(graph: Any) -> int:
    """Rewrites an ONNX GraphProto in place; returns the number of added nodes."""
    nodes = list(graph.node)
    del graph.node[:]
    for node in nodes:
        graph.node.extend(_apart(node) if node.op_type == "SkipLayerNormalization" else [node])
    return len(graph.node) - len(nodes)


def _apart(node: Any) -> list[Any]:
    """Returns LayerNormalization(input + bias + skip), with the terms added in that order."""
    values, skip, scale, shift, *bias = node.input
    (output,) = node.output
    epsilon = next(each.f for each in node.attribute if each.name == "epsilon")
    added = []
    for number, other in enumerate((*bias, skip)):
        added.append(helper.make_node("Add", [values, other], [f"{output}_sum_{number}"]))
        values = f"{output}_sum_{number}"
    return [*added, helper.make_node("LayerNormalization", [values, scale, shift], [output], axis=-1, epsilon=epsilon)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="an ONNX file, which is overwritten")
    path = parser.parse_args().model
    model = onnx.load(str(path))
    split_norms(model.graph)
    onnx.save(model, str(path))
