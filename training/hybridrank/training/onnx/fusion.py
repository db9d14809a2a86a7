"""Writes a BERT as ONNX in which attention, embeddings and GELU are one operator of ONNX Runtime each.

Unfused, they take 4 to 7 % more time (docs/models.md). Fuse first, then quantise: int8 has its own attention operator,
into which already quantised operators cannot be fused.
"""

import logging
import warnings
from pathlib import Path
from typing import Any

from hybridrank.training.onnx.first_query import first_query_only
from hybridrank.training.onnx.first_token import first_token_only
from hybridrank.training.onnx.split_norms import split_norms

try:
    import torch
    from onnxruntime.transformers import optimizer
except ImportError as error:
    raise ImportError(f"exporting a model needs {error.name}: pip install 'hybridrank[train]'") from error

__all__ = ["export_fused"]

FAMILIES = frozenset({"bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta"})  # by config.model_type
ONE_ROW = ("logits", "sentence_embedding", "weights")  # outputs without an axis of tokens
OPSET = 17  # the last that the optimiser was written for


class _Traced(torch.nn.Module):  # type: ignore[misc]
    """A model that takes its inputs by position. In the graph, names of its parts begin with `m`."""

    def __init__(self, model: torch.nn.Module, names: list[str], output: str) -> None:
        super().__init__()
        self.m, self.names, self.output = model, names, output

    def forward(self, *inputs: Any) -> Any:
        return self.m(**dict(zip(self.names, inputs, strict=True)))[self.output]


def export_fused(model: torch.nn.Module, config: Any, names: list[str], output: str, path: Path) -> bool:
    """Writes `model`, with the inputs `names` and the single output `output`; returns False if it cannot be fused.

    `config` belongs to its transformers model, which must use eager attention. The attention of every layer must be
    fused; then it supports padding on the right, as the sidecar pads. The caller must check that the file computes the
    same as the model.
    """
    if config.model_type not in FAMILIES:
        return False
    _trace(_Traced(model, names, output).eval(), names, output, path)
    logging.disable(logging.WARNING)  # it logs each fusion
    try:
        fused = optimizer.optimize_model(str(path), "bert", config.num_attention_heads, config.hidden_size, opt_level=0)
        if len(fused.get_nodes_by_op_type("Attention")) != config.num_hidden_layers:
            return False
        split_norms(fused.model.graph)
        first_token_only(fused.model.graph)
        first_query_only(fused.model.graph)
        fused.save_model_to_file(str(path))
    finally:
        logging.disable(logging.NOTSET)
    return True


def _trace(model: torch.nn.Module, names: list[str], output: str, path: Path) -> None:
    """Traces with torch's older exporter: in the newer one's output, ONNX Runtime 1.31 finds no attention to fuse."""
    examples = {name: torch.ones((2, 8), dtype=torch.long) for name in names}
    if "token_type_ids" in examples:
        examples["token_type_ids"].zero_()  # some models have only one segment
    examples["attention_mask"][1, 5:] = 0
    free = {0: "batch", 1: "tokens"}
    free_output = {0: "batch"} if output in ONE_ROW else free
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about its deprecation, and about shapes that it treats as constants
        torch.onnx.export(
            model,
            tuple(examples.values()),
            str(path),
            input_names=names,
            output_names=[output],
            dynamic_axes={**dict.fromkeys(names, free), output: free_output},
            opset_version=OPSET,
            dynamo=False,
        )
