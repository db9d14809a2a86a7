"""Writes a BERT as ONNX in which attention, embeddings and GELU are one operator of ONNX Runtime each.

Unfused, they take 4 to 7 % more time (docs/models.md). Fuse first, then quantise: int8 has its own attention operator,
into which already quantised operators cannot be fused.
"""

from pathlib import Path
from typing import Any

import numpy as np

from hybridrank.training.onnx import graph_file, without_weights
from hybridrank.training.onnx.first_query import first_query_only
from hybridrank.training.onnx.first_token import first_token_only
from hybridrank.training.onnx.original import Original
from hybridrank.training.onnx.quiet import quiet
from hybridrank.training.onnx.split_norms import split_norms

try:
    import onnxruntime
    import torch
    from onnxruntime.transformers import optimizer
except ImportError as error:
    raise ImportError(f"exporting a model needs {error.name}: pip install 'hybridrank[train]'") from error

__all__ = ["FAMILIES", "finish", "trace"]

FAMILIES = frozenset({"bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta"})  # by config.model_type
ONE_ROW = ("logits", "sentence_embedding", "weights")  # outputs without an axis of tokens
OPSET = 17  # the last that the optimiser was written for
FUSED = "com.microsoft"  # the domain of fused operators


class _Traced(torch.nn.Module):  # type: ignore[misc]
    """A model that takes its inputs by position. In the graph, names of its parts begin with `m`."""

    def __init__(self, model: torch.nn.Module, names: tuple[str, ...], output: str) -> None:
        super().__init__()
        self.m, self.names, self.output = model, names, output

    def forward(self, *inputs: Any) -> Any:
        return self.m(**dict(zip(self.names, inputs, strict=True)))[self.output]


class _Fusing(optimizer.MODEL_TYPES["bert"][0]):  # type: ignore[misc]
    """A graph for ONNX Runtime's optimiser, of which embedding tables may be references: it asks for their shape."""

    def get_constant_value(self, output_name: str) -> Any:
        tensor = self.get_initializer(output_name)
        if tensor is not None and graph_file.referred(tensor):
            return np.broadcast_to(np.float32(np.nan), tuple(tensor.dims))
        return super().get_constant_value(output_name)


def trace(original: Original, path: Path) -> None:
    """Writes the graph that torch's older exporter makes of the model, which must use eager attention.

    The newer one's output has no attention that ONNX Runtime 1.31 can fuse.
    """
    model = _Traced(original.model, original.names, original.output).eval()
    large = sum(each.nbytes for each in model.parameters()) > graph_file.LIMIT
    _trace(model, original.names, original.output, path, weights=not large)
    if large:
        without_weights.attach(path, model.state_dict(), original.names)


def finish(traced: Path, config: Any, path: Path) -> bool:
    """Writes the fused graph; returns False if the attention of a layer cannot be fused.

    `config` belongs to the transformers model. The fused attention supports padding on the right, as the sidecar pads.
    The caller must check that the file computes the same as the model.
    """
    model = graph_file.read(traced, held=4 * config.hidden_size**2)  # the matrices of attention, which are merged
    with quiet():
        fused = _Fusing(model, config.num_attention_heads, config.hidden_size)
        fused.optimize(optimizer.FusionOptions("bert"))
        fused.topological_sort()
        if len(fused.get_nodes_by_op_type("Attention")) != config.num_hidden_layers:
            return False
        split_norms(fused.model.graph)
        first_token_only(fused.model.graph)
        first_query_only(fused.model.graph)
        fused.topological_sort()
        fused.model.producer_name, fused.model.producer_version = "onnxruntime.transformers", onnxruntime.__version__
        if not any(each.domain == FUSED for each in fused.model.opset_import):
            fused.model.opset_import.add(domain=FUSED, version=1)
        graph_file.write(fused.model, path, traced.parent)
    return True


def _trace(model: torch.nn.Module, names: tuple[str, ...], output: str, path: Path, *, weights: bool) -> None:
    examples = {name: torch.ones((2, 8), dtype=torch.long) for name in names}
    if "token_type_ids" in examples:
        examples["token_type_ids"].zero_()  # some models have only one segment
    examples["attention_mask"][1, 5:] = 0
    free = {0: "batch", 1: "tokens"}
    free_output = {0: "batch"} if output in ONE_ROW else free
    with quiet():
        torch.onnx.export(
            model,
            tuple(examples.values()),
            str(path),
            input_names=list(names),
            output_names=[output],
            dynamic_axes={**dict.fromkeys(names, free), output: free_output},
            opset_version=OPSET,
            dynamo=False,
            export_params=weights,
            do_constant_folding=weights,
        )
