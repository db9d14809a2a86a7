"""Encoders of texts: pooling, prompts, length and dimensions are those that the sentence-transformers files say."""

from functools import partial
from typing import Any

import torch
import transformers

from hybridrank.model_files.model_folder import EncoderToml
from hybridrank.sidecar.in_process import SENTENCE_VECTORS
from hybridrank.training.onnx.families.plan import Asked, Plan
from hybridrank.training.onnx.families.pooled_vectors import LAYERS, PooledVectors, layers_behind
from hybridrank.training.onnx.sources import sentence_files
from hybridrank.training.onnx.sources.checkpoint import Checkpoint
from hybridrank.training.onnx.sources.dense import Dense

__all__ = ["plan"]

HEADS = ("Contriever",)  # an encoder under a name of its own
ENCODERS_OF = ("t5", "mt5", "umt5")  # encoder-decoders of which sentence-transformers takes the encoder
SERVED = {"mean": "mean", "cls": "cls", "lasttoken": "last"}  # sentence-transformers' name → the sidecar's
SAME_DIRECTION = ("Normalize", "Dropout")  # vectors are compared by cosine


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
    """Recognises a model without a head, and any head behind which sentence-transformers pools.

    Of an encoder-decoder sentence-transformers loads the encoder; without its files that is not meant.
    """
    pooled = sentence_files.pools(checkpoint)
    headless = checkpoint.one_stack and all(_headless(each) for each in checkpoint.heads)
    of_two = checkpoint.config.model_type in ENCODERS_OF
    if not (pooled or headless) or not (checkpoint.one_stack or of_two):
        return None
    sentence_files.require_modules(checkpoint, "Transformer", "Pooling", behind=tuple(LAYERS))
    sentence_files.require_same_vectors(checkpoint)
    behind = checkpoint.modules[2:]
    prefixes = sentence_files.prefixes(checkpoint, asked.query_prefix, asked.document_prefix)
    poolings = sentence_files.poolings(checkpoint, prefixed=any(prefixes.values()))
    fields = {**asked.fields(checkpoint), **prefixes}
    auto = transformers.AutoModelForTextEncoding if of_two else transformers.AutoModel
    lower_case = bool(sentence_files.settings(checkpoint).get("do_lower_case"))
    if len(poolings) == 1 and poolings[0] in SERVED and all(each.kind in SAME_DIRECTION for each in behind):
        dimensions = sentence_files.truncated(checkpoint, checkpoint.config.hidden_size)
        toml = EncoderToml.model_validate({**fields, "pooling": SERVED[poolings[0]], "dimensions": dimensions})
        return Plan(toml, "last_hidden_state", auto, partial(_token_rows, dimensions=dimensions), lower_case)
    layers = layers_behind(checkpoint, behind)
    width = next(
        (each.linear.out_features for each in reversed(layers) if isinstance(each, Dense)),
        len(poolings) * checkpoint.config.hidden_size,
    )
    dimensions = sentence_files.truncated(checkpoint, width)
    toml = EncoderToml.model_validate({**fields, "pooling": "graph", "dimensions": dimensions})
    wrap = partial(PooledVectors, poolings=poolings, layers=layers, dimensions=dimensions)
    return Plan(toml, SENTENCE_VECTORS, auto, wrap, lower_case)


def _headless(name: str) -> bool:
    return name in HEADS or (name.endswith("Model") and not name.endswith("HeadModel"))


def _token_rows(encoder: Any, dimensions: int) -> Any:
    encoder.config.use_cache = False  # a decoder's graph would return it
    return FirstDimensions(encoder, dimensions) if dimensions < encoder.config.hidden_size else encoder
