"""ColBERT checkpoints of colbert-ai and PyLate: a vector for each token."""

from functools import partial

from hybridrank.model_files.model_folder import ColbertToml
from hybridrank.sidecar.in_process import TOKEN_VECTORS
from hybridrank.training.onnx.families.plan import Asked, Plan
from hybridrank.training.onnx.sources import colbert_checkpoints, sentence_files
from hybridrank.training.onnx.sources.checkpoint import Checkpoint
from hybridrank.training.onnx.sources.lengths import POSITIONS, positions

__all__ = ["plan"]


def plan(checkpoint: Checkpoint, asked: Asked) -> Plan | None:
    """Recognises the files of either library, whose lengths come before other ones, up to the model's positions."""
    found = colbert_checkpoints.read(checkpoint.source, checkpoint.config, checkpoint.tokenizer)
    if found is None:
        return None
    limit = positions(checkpoint.config)
    described = asked.fields(checkpoint, {"its documents": found.fields["max_tokens"], POSITIONS: limit})
    query_length = min(found.fields["query_length"], limit or found.fields["query_length"])
    toml = ColbertToml.model_validate({**found.fields, **described, "query_length": query_length})
    return Plan(
        toml,
        TOKEN_VECTORS,
        wrap=partial(colbert_checkpoints.TokenVectors, projection=found.projection),
        lower_case=bool(sentence_files.settings(checkpoint).get("do_lower_case")),
    )
