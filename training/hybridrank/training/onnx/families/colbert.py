"""ColBERT checkpoints of colbert-ai and PyLate: a vector for each token."""

from functools import partial

from hybridrank.model_files.model_folder import ColbertToml
from hybridrank.sidecar.in_process import TOKEN_VECTORS
from hybridrank.training.onnx.families.plan import Asked, Plan
from hybridrank.training.onnx.sources import colbert_checkpoints, sentence_files
from hybridrank.training.onnx.sources.checkpoint import Checkpoint
from hybridrank.training.onnx.sources.lengths import positions

__all__ = ["plan"]

LENGTHS = ("query_length", "max_tokens")


def plan(checkpoint: Checkpoint, asked: Asked) -> Plan | None:
    """Recognises the files of either library; their lengths are cut to the model's positions."""
    found = colbert_checkpoints.read(checkpoint.source, checkpoint.config, checkpoint.tokenizer)
    if found is None:
        return None
    limit = positions(checkpoint.config)
    lengths = {key: min(found.fields[key], limit or found.fields[key]) for key in LENGTHS}
    lengths["max_tokens"] = asked.max_tokens or lengths["max_tokens"]
    toml = ColbertToml.model_validate({**asked.fields(checkpoint), **found.fields, **lengths})
    return Plan(
        toml,
        TOKEN_VECTORS,
        wrap=partial(colbert_checkpoints.TokenVectors, projection=found.projection),
        lower_case=bool(sentence_files.settings(checkpoint).get("do_lower_case")),
    )
