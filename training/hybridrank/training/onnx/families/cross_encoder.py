"""Sequence classifiers with one label, or with two of which one means relevant."""

from collections.abc import Callable
from functools import partial
from typing import Any

import transformers

from hybridrank.model_files.model_folder import CrossEncoderToml
from hybridrank.training.onnx.families.labels import logit_of
from hybridrank.training.onnx.families.last_token import LastTokenLogits, reads_last_token
from hybridrank.training.onnx.families.plan import Asked, Plan
from hybridrank.training.onnx.sources import sentence_files
from hybridrank.training.onnx.sources.checkpoint import Checkpoint

__all__ = ["plan"]


def plan(checkpoint: Checkpoint, asked: Asked) -> Plan | None:
    """Recognises the head …ForSequenceClassification, unless sentence-transformers pools the model behind it."""
    if sentence_files.pools(checkpoint) or not (_is_classifier(checkpoint) and checkpoint.one_stack):
        return None
    sentence_files.require_modules(checkpoint, "Transformer")
    sentence_files.require_no_default_prompt(checkpoint)
    return Plan(
        CrossEncoderToml.model_validate(asked.fields(checkpoint)),
        "logits",
        transformers.AutoModelForSequenceClassification,
        partial(_one_logit, logit_of=logit_of(checkpoint, asked)),
        lower_case=bool(sentence_files.settings(checkpoint).get("do_lower_case")),
    )


def _is_classifier(checkpoint: Checkpoint) -> bool:
    """True if a head classifies whole texts."""
    return any(head.endswith("ForSequenceClassification") for head in checkpoint.heads)


def _one_logit(classifier: Any, logit_of: Callable[[Any], Any]) -> Any:
    return logit_of(LastTokenLogits(classifier) if reads_last_token(classifier) else classifier)
