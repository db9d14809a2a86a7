"""Writes a model as ONNX with torch's own exporter, as it is."""

from pathlib import Path
from typing import Any

import torch

from hybridrank.training.onnx import graph_file
from hybridrank.training.onnx.original import Original
from hybridrank.training.onnx.quiet import quiet

__all__ = ["finish", "trace"]

OPSET = 20  # the first with an operator for GELU, worth 4 % of a ModernBERT or DeBERTa


def trace(original: Original, path: Path) -> None:
    """Writes the graph that torch makes of the model; a large one with its weights in a file beside it."""
    # A separate tensor for each input: the exporter treats one that is passed twice as one input.
    examples = {name: torch.ones((2, 8), dtype=torch.long) for name in original.names}
    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens")}
    size = sum(each.nbytes for each in original.model.parameters())
    with quiet():
        torch.onnx.export(
            original.model,
            (),
            str(path),
            kwargs=examples,
            input_names=list(original.names),
            output_names=[original.output],
            dynamic_shapes=dict.fromkeys(original.names, free),
            opset_version=OPSET,
            dynamo=True,
            external_data=size > graph_file.LIMIT,
            verbose=False,
        )


def finish(traced: Path, _config: Any, path: Path) -> bool:
    """Writes what the sidecar reads of the traced graph."""
    model = graph_file.read(traced)
    del model.graph.output[1:]  # an unneeded pooled vector
    for node in model.graph.node:
        del node.metadata_props[:]  # stack traces with the paths of this machine
    graph_file.write(model, path, traced.parent)
    return True
