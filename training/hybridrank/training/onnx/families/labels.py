"""The one logit of a classifier with one or two labels."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from hybridrank.training.onnx.families.plan import Asked, unchanged
from hybridrank.training.onnx.sources.checkpoint import Checkpoint
from hybridrank.training.onnx.sources.source_files import ExportFailed

__all__ = ["LogitDifference", "logit_of"]

RELEVANT = frozenset({"relevant", "yes", "true", "1", "positive", "label_1", "entailment", "match"})


class LogitDifference(torch.nn.Module):  # type: ignore[misc]
    """The logit of one of two labels minus the other's: the log-odds of their softmax."""

    def __init__(self, classifier: torch.nn.Module, relevant: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.register_buffer("signs", torch.tensor([1.0, -1.0] if relevant == 0 else [-1.0, 1.0]), persistent=False)

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None) -> dict[str, Any]:
        """Returns (batch, 1) under the name of the graph's output."""
        segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        logits = self.classifier(input_ids=input_ids, attention_mask=attention_mask, **segments)["logits"]
        return {"logits": (logits * self.signs).sum(dim=-1, keepdim=True)}


def logit_of(checkpoint: Checkpoint, asked: Asked) -> Callable[[Any], Any]:
    """Returns what makes one logit of a classifier; raises ExportFailed where no label, or none of many, is meant."""
    labels: Mapping[int, str] = checkpoint.config.id2label
    wanted, listed = asked.relevant_label, ", ".join(labels.values())
    if len(labels) == 1:
        if wanted is not None:
            raise ExportFailed(f"{checkpoint.source} has one label, so that none can be chosen as the relevant one")
        return unchanged
    if len(labels) > 2:
        raise ExportFailed(
            f"{checkpoint.source} has {len(labels)} labels ({listed}); a reranker has one, or two of which one means "
            "relevant"
        )
    chosen = [
        number
        for number, label in labels.items()
        if (label == wanted if wanted is not None else label.lower().replace(" ", "_") in RELEVANT)
    ]
    if len(chosen) != 1:
        raise ExportFailed(
            f"{checkpoint.source} has the labels {listed}; say with --relevant-label which of them means relevant"
        )
    return partial(LogitDifference, relevant=chosen[0])
