"""SPLADE: a masked language model whose logits, over the tokens of a text, become weights of the vocabulary."""

from functools import partial
from typing import Any

import torch
import transformers

from hybridrank.model_files.model_folder import SpladeToml
from hybridrank.sidecar.in_process import SPARSE_WEIGHTS
from hybridrank.training.onnx.families.idf import query_weights
from hybridrank.training.onnx.families.plan import Asked, Plan
from hybridrank.training.onnx.sources import sentence_files
from hybridrank.training.onnx.sources.checkpoint import Checkpoint
from hybridrank.training.onnx.sources.source_files import ExportFailed

__all__ = ["SpladeWeights", "plan"]

FOLDS = {"relu": 1, "log1p_relu": 2}  # how often log(1 + …) is applied
POOLINGS = ("max", "sum")


class SpladeWeights(torch.nn.Module):  # type: ignore[misc]
    """log(1 + ReLU(logit)), its maximum or sum over the tokens of a text.

    The logarithm is monotone, so that it is taken after the maximum, of a row of the vocabulary and not of each token.
    """

    def __init__(self, language_model: torch.nn.Module, pooling: str, folds: int) -> None:
        super().__init__()
        self.language_model, self.pooling, self.folds = language_model, pooling, folds

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None) -> dict[str, Any]:
        """Returns (batch, vocabulary) under the name of the graph's output."""
        segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        logits = self.language_model(input_ids=input_ids, attention_mask=attention_mask, **segments)["logits"]
        read = torch.relu(logits) * attention_mask.unsqueeze(-1)
        if self.pooling == "sum":
            return {SPARSE_WEIGHTS: self._logarithm(read).sum(dim=1)}
        return {SPARSE_WEIGHTS: self._logarithm(read.amax(dim=1))}

    def _logarithm(self, scores: Any) -> Any:
        for _ in range(self.folds):
            scores = torch.log(1 + scores)
        return scores


def plan(checkpoint: Checkpoint, asked: Asked) -> Plan | None:
    """Recognises the module SpladePooling of sentence-transformers; without its files, the caller must say it."""
    pooled = any(each.kind == "SpladePooling" for each in checkpoint.modules)
    told = asked.kind == "splade" and not checkpoint.modules and _predicts_words(checkpoint)
    if not (pooled or told):
        return None
    if pooled:
        _require_words(checkpoint)
    weights = query_weights(checkpoint)
    most = checkpoint.json(sentence_files.CONFIG).get("max_active_dims")
    limits = {
        name: min(most, SpladeToml.model_fields[name].default) for name in ("query_terms", "document_terms") if most
    }
    toml = SpladeToml.model_validate(
        {
            **asked.fields(checkpoint),
            **sentence_files.prefixes(checkpoint, asked.query_prefix, asked.document_prefix),
            **limits,
            "query_weights": weights.sha256 if weights else "",
        }
    )
    pooling, activation = _pooling(checkpoint)
    return Plan(
        toml,
        SPARSE_WEIGHTS,
        transformers.AutoModelForMaskedLM,
        partial(SpladeWeights, pooling=pooling, folds=FOLDS[activation]),
        lower_case=bool(sentence_files.settings(checkpoint).get("do_lower_case")),
        files=weights.files if weights else {},
    )


def _predicts_words(checkpoint: Checkpoint) -> bool:
    return any(head.endswith("ForMaskedLM") for head in checkpoint.heads)


def _require_words(checkpoint: Checkpoint) -> None:
    """Raises ExportFailed unless the pooled rows are logits of words, compared by their dot product."""
    first = checkpoint.modules[0].kind
    sentence_files.require_modules(checkpoint, first if first == "MLMTransformer" else "Transformer", "SpladePooling")
    if first != "MLMTransformer" and sentence_files.settings(checkpoint).get("transformer_task") != "fill-mask":
        raise ExportFailed(
            f"{checkpoint.source} has a SpladePooling module behind a Transformer that predicts no words: no "
            "transformer_task fill-mask in its sentence_bert_config.json"
        )
    compared = checkpoint.json(sentence_files.CONFIG).get("similarity_fn_name") or "dot"
    if compared != "dot":
        raise ExportFailed(
            f"{checkpoint.source} compares vectors by {compared} (similarity_fn_name in {sentence_files.CONFIG}), and "
            "engines compare sparse ones by their dot product"
        )


def _pooling(checkpoint: Checkpoint) -> tuple[str, str]:
    """Returns the pooling and the activation, those of SPLADE v2 where nothing is said."""
    name = next((f"{each.path}/config.json" for each in checkpoint.modules if each.kind == "SpladePooling"), "")
    said = checkpoint.json(name) if name else {}
    pooling, activation = said.get("pooling_strategy", "max"), said.get("activation_function", "relu")
    if pooling not in POOLINGS or activation not in FOLDS:
        raise ExportFailed(
            f"{checkpoint.source} has the pooling_strategy {pooling!r} and the activation_function {activation!r} in "
            f"{name}; known are {', '.join(POOLINGS)}, and {', '.join(FOLDS)}"
        )
    return pooling, activation
