"""Encoders of texts: pooling, prompts, length and dimensions are those that the sentence-transformers files say."""

from functools import partial
from typing import Any

import torch

from hybridrank.model_files.model_folder import EncoderToml
from hybridrank.training.onnx import sentence_files
from hybridrank.training.onnx.checkpoint import Checkpoint
from hybridrank.training.onnx.families.plan import Asked, Plan, unchanged

__all__ = ["plan"]

HEADS = ("Contriever",)  # an encoder under a name of its own


class FirstDimensions(torch.nn.Module):  # type: ignore[misc]
    """An encoder of which a Matryoshka model keeps the first dimensions."""

    def __init__(self, encoder: torch.nn.Module, dimensions: int) -> None:
        super().__init__()
        self.encoder, self.dimensions = encoder, dimensions

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None) -> dict[str, Any]:
        """Returns (batch, tokens, dimensions) under the name of the graph's output."""
        segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **segments).last_hidden_state
        return {"last_hidden_state": hidden[..., : self.dimensions]}


def plan(checkpoint: Checkpoint, asked: Asked) -> Plan | None:
    """Recognises a model without a head, and any head behind which sentence-transformers pools."""
    headless = all(_headless(each) for each in checkpoint.heads)
    if not checkpoint.one_stack or not (headless or sentence_files.pools(checkpoint)):
        return None
    sentence_files.require_modules(checkpoint, "Transformer", "Pooling", "Normalize")
    sentence_files.require_same_vectors(checkpoint)
    dimensions = sentence_files.truncated(checkpoint)
    toml = EncoderToml.model_validate(
        {
            **asked.fields(checkpoint),
            **sentence_files.prefixes(checkpoint),
            "pooling": sentence_files.pooling(checkpoint),
            "dimensions": dimensions,
        }
    )
    cut = dimensions < checkpoint.config.hidden_size
    return Plan(
        toml,
        "last_hidden_state",
        wrap=partial(FirstDimensions, dimensions=dimensions) if cut else unchanged,
        lower_case=bool(sentence_files.settings(checkpoint).get("do_lower_case")),
    )


def _headless(name: str) -> bool:
    return name in HEADS or (name.endswith("Model") and not name.endswith("HeadModel"))
