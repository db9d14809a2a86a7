"""The families of checkpoints, most specific first: to add one, add its file and its line here."""

from collections.abc import Mapping

from hybridrank.training.onnx.families import colbert, cross_encoder, encoder, prompt_reranker, splade
from hybridrank.training.onnx.families.plan import Asked, Family, Plan
from hybridrank.training.onnx.families.pooled_vectors import LAYERS
from hybridrank.training.onnx.families.templates import TEMPLATES
from hybridrank.training.onnx.sources import sentence_files
from hybridrank.training.onnx.sources.checkpoint import Checkpoint
from hybridrank.training.onnx.sources.source_files import ExportFailed

__all__ = ["FAMILIES", "REFUSED", "plan"]

FAMILIES: Mapping[str, Family] = {
    "colbert": colbert.plan,
    "splade": splade.plan,
    "prompt-reranker": prompt_reranker.plan,
    "cross-encoder": cross_encoder.plan,
    "encoder": encoder.plan,
}
NOT_TRAINED = (
    "has a head that predicts words: if it is SPLADE, say so with --kind splade; if it was only pretrained, train it "
    "first; if it is an encoder, it lacks the modules.json of sentence-transformers"
)
ENCODER_DECODER = "is an encoder-decoder, of which only one that answers in a word is served"
GENERATES = (
    f"generates text; if it was trained to answer if a document is relevant, name its prompt: --template "
    f"{', '.join(TEMPLATES)}"
)
REFUSED: Mapping[str, str] = {  # the end of a head's name → why it is refused
    "ForMaskedLM": NOT_TRAINED,
    "ForPreTraining": NOT_TRAINED,
    "ForCausalLM": GENERATES,
    "LMHeadModel": GENERATES,
    "ForConditionalGeneration": GENERATES,
    "ForQuestionAnswering": "finds answers inside a text, and does not score it",
    "ForTokenClassification": "labels tokens, and does not score a text",
}


def plan(checkpoint: Checkpoint, asked: Asked) -> Plan:
    """Returns the plan of the first family that the checkpoint is of; raises ExportFailed if it is of none."""
    source = checkpoint.source
    if asked.template is None and (asked.instruction is not None or asked.answers):
        raise ExportFailed("an instruction and answers are those of a prompt; name it with --template")
    for family in FAMILIES.values():
        if planned := family(checkpoint, asked):
            kind = planned.toml.kind
            if asked.kind not in (None, kind):
                raise ExportFailed(f"{source} is a {kind} by its files, not a {asked.kind}")
            if asked.template is not None and kind != "prompt-reranker":
                raise ExportFailed(f"{source} is a {kind}, which reads no prompt; leave --template out")
            if asked.relevant_label is not None and kind not in ("cross-encoder", "prompt-reranker"):
                raise ExportFailed(f"{source} is a {kind}, which has no labels to choose the relevant from")
            if (asked.query_prefix, asked.document_prefix) != (None, None) and kind not in ("encoder", "splade"):
                raise ExportFailed(f"prefixes are those of an encoder, and {source} is a {kind}")
            return planned
    sentence_files.require_modules(checkpoint, "Transformer", "Pooling", behind=tuple(LAYERS))
    named = ", ".join(checkpoint.heads) or checkpoint.config.model_type
    reason = next(
        (REFUSED[end] for head in checkpoint.heads for end in REFUSED if head.endswith(end)),
        "is of no family that can be exported" if checkpoint.one_stack else ENCODER_DECODER,
    )
    raise ExportFailed(f"{source} ({named}) {reason}; exported are {', '.join(FAMILIES)}")
