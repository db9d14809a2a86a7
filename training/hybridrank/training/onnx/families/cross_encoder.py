"""Sequence classifiers with one label, or with two of which one means relevant."""

from collections.abc import Callable
from functools import partial
from typing import Any

import transformers

from hybridrank.model_files.model_folder import CrossEncoderToml, OnnxToml
from hybridrank.training.onnx.families.labels import logit_of
from hybridrank.training.onnx.families.last_token import LastTokenLogits, reads_last_token
from hybridrank.training.onnx.families.plan import Asked, Plan
from hybridrank.training.onnx.sources import sentence_files
from hybridrank.training.onnx.sources.checkpoint import Checkpoint

__all__ = ["classifier", "is_classifier", "plan"]


def plan(checkpoint: Checkpoint, asked: Asked) -> Plan | None:
    """Recognises the head …ForSequenceClassification, unless sentence-transformers pools the model behind it."""
    if not is_classifier(checkpoint):
        return None
    return classifier(checkpoint, asked, CrossEncoderToml.model_validate(asked.fields(checkpoint)))


def is_classifier(checkpoint: Checkpoint) -> bool:
    """True if a head of one stack classifies whole texts."""
    heads = any(head.endswith("ForSequenceClassification") for head in checkpoint.heads)
    return heads and checkpoint.one_stack and not sentence_files.pools(checkpoint)


def classifier(checkpoint: Checkpoint, asked: Asked, toml: OnnxToml) -> Plan:
    """Returns the plan of a classifier that `toml` describes."""
    sentence_files.require_modules(checkpoint, "Transformer")
    sentence_files.require_no_default_prompt(checkpoint)
    return Plan(
        toml,
        "logits",
        transformers.AutoModelForSequenceClassification,
        partial(_one_logit, logit_of=logit_of(checkpoint, asked)),
        lower_case=bool(sentence_files.settings(checkpoint).get("do_lower_case")),
    )


def _one_logit(model: Any, logit_of: Callable[[Any], Any]) -> Any:
    return logit_of(LastTokenLogits(model) if reads_last_token(model) else model)
