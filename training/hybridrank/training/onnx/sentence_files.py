"""Reads the files of sentence-transformers beside a checkpoint; refuses a setting by its name if it cannot be followed.

Its names and defaults are those of sentence-transformers 6, which also reads what earlier versions wrote.
"""

from typing import Any

from hybridrank.training.onnx.checkpoint import Checkpoint
from hybridrank.training.onnx.source_files import ExportFailed

__all__ = ["pooling", "pools", "prefixes", "require_modules", "require_same_vectors", "settings", "truncated"]

SETTINGS_FILES = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
READ = frozenset({"max_seq_length", "do_lower_case", "transformer_task", "modality_config", "module_output_name"})
ARGUMENTS = ("model_args", "model_kwargs", "tokenizer_args", "processor_kwargs", "config_args", "config_kwargs")
HARMLESS = frozenset(  # arguments that change no result, at fp32 and one text at a time
    {"add_pooling_layer", "attn_implementation", "dtype", "padding_side", "torch_dtype", "trust_remote_code"}
)
POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
POOLINGS = ("mean", "cls")  # of the sidecar
CONFIG = "config_sentence_transformers.json"
QUERY_PROMPTS, DOCUMENT_PROMPTS = ("query",), ("document", "passage", "corpus")
REASONS = {
    "MLMTransformer": "predicts words: SPLADE has a SpladePooling module behind it, and nothing else",
    "SparseAutoEncoder": "makes sparse vectors, which the sidecar does not serve",
    "LogitScore": "takes its score from a generating model, which the sidecar does not serve",
}


def pools(checkpoint: Checkpoint) -> bool:
    """True if sentence-transformers makes vectors of the checkpoint, whatever head it was saved with."""
    return any(each.kind == "Pooling" for each in checkpoint.modules)


def require_modules(checkpoint: Checkpoint, *known: str) -> None:
    """Raises ExportFailed for a module that is not `known`, and for an order of modules that is not this one."""
    for each in checkpoint.modules:
        if each.kind not in known:
            reason = REASONS.get(each.kind, f"is none of those that the sidecar computes: {', '.join(known)}")
            raise ExportFailed(f"{checkpoint.source} has a {each.kind} module (modules.json), which {reason}")
    found = [each.kind for each in checkpoint.modules]
    if found != [each for each in known if each in found]:
        raise ExportFailed(f"modules.json of {checkpoint.source} has {', '.join(found)}, not {', '.join(known)}")


def settings(checkpoint: Checkpoint) -> dict[str, Any]:
    """Returns the settings of the Transformer module; raises ExportFailed for one that the sidecar cannot follow."""
    within = f"{checkpoint.folder}/" if checkpoint.folder else ""
    for name in SETTINGS_FILES:
        if said := checkpoint.json(within + name):
            break
    else:
        return {}
    unknown = {key for key, value in said.items() if value and key not in READ and key not in ARGUMENTS}
    unknown |= {key for name in ARGUMENTS for key in (said.get(name) or {}) if key not in HARMLESS}
    if unknown:
        raise ExportFailed(
            f"{within}{name} of {checkpoint.source} sets {', '.join(sorted(unknown))}, which are not read"
        )
    modalities = said.get("modality_config") or {"text": {}}
    output = modalities.get("text", {}).get("method_output_name", "last_hidden_state")
    if list(modalities) != ["text"] or output not in ("last_hidden_state", "logits"):
        raise ExportFailed(f"{within}{name} of {checkpoint.source} sets a modality_config of other than plain text")
    return dict(said)


def pooling(checkpoint: Checkpoint) -> str:
    """Returns `mean` or `cls`: the mean where nothing is said."""
    name = next(
        (f"{each.path or '1_Pooling'}/config.json" for each in checkpoint.modules if each.kind == "Pooling"), ""
    )
    name = name or "1_Pooling/config.json"
    said = checkpoint.json(name)
    modes = said.get("pooling_mode") or [mode for flag, mode in POOLING_FLAGS.items() if said.get(flag)] or ["mean"]
    modes = [modes] if isinstance(modes, str) else modes
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise ExportFailed(
            f"{checkpoint.source} pools in a way that the sidecar does not: {' and '.join(modes)} in {name}; it pools "
            f"by {' or '.join(POOLINGS)}"
        )
    if said.get("include_prompt") is False and any(prefixes(checkpoint).values()):
        raise ExportFailed(
            f"{checkpoint.source} leaves the prompt out of its mean (include_prompt in {name}), and the "
            "sidecar does not"
        )
    return str(modes[0])


def prefixes(checkpoint: Checkpoint) -> dict[str, str]:
    """Returns the prompts of queries and documents as fields of model.toml."""
    said = checkpoint.json(CONFIG)
    prompts = {name: prompt for name, prompt in (said.get("prompts") or {}).items() if prompt}
    require_no_default_prompt(checkpoint)
    known = (*QUERY_PROMPTS, *DOCUMENT_PROMPTS)
    if prompts and not any(name in known for name in prompts):
        raise ExportFailed(
            f"{checkpoint.source} has the prompts {', '.join(sorted(prompts))} in {CONFIG}, and none is for queries "
            f"or documents: call those query and document there, or remove the prompts"
        )
    return {
        "query_prefix": next((prompts[name] for name in QUERY_PROMPTS if name in prompts), ""),
        "document_prefix": next((prompts[name] for name in DOCUMENT_PROMPTS if name in prompts), ""),
    }


def require_no_default_prompt(checkpoint: Checkpoint) -> None:
    """Raises ExportFailed if sentence-transformers would put a prompt before queries and documents alike."""
    said = checkpoint.json(CONFIG)
    if (name := said.get("default_prompt_name")) and (said.get("prompts") or {}).get(name):
        raise ExportFailed(
            f"{checkpoint.source} puts the prompt {name} before all texts (default_prompt_name in {CONFIG}), which the "
            "sidecar does not: name prompts for query and document there instead"
        )


def truncated(checkpoint: Checkpoint) -> int:
    """Returns the dimensions of a vector: all, or the first ones that a Matryoshka model keeps."""
    width = int(checkpoint.config.hidden_size)
    kept = checkpoint.json(CONFIG).get("truncate_dim") or width
    if not isinstance(kept, int) or not 1 <= kept <= width:
        raise ExportFailed(f"{checkpoint.source} has the truncate_dim {kept!r} in {CONFIG}, of {width} dimensions")
    return kept


def require_same_vectors(checkpoint: Checkpoint) -> None:
    """Raises ExportFailed if vectors are compared otherwise than at unit length, as the sidecar does."""
    compared = checkpoint.json(CONFIG).get("similarity_fn_name") or "cosine"
    unit = any(each.kind == "Normalize" for each in checkpoint.modules)
    if compared != "cosine" and not (unit and compared == "dot"):
        raise ExportFailed(
            f"{checkpoint.source} compares vectors by {compared} (similarity_fn_name in {CONFIG}), and the "
            "sidecar by cosine"
        )
