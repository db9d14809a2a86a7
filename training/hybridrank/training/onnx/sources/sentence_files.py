"""Reads the files of sentence-transformers beside a checkpoint; refuses a setting by its name if it cannot be followed.

Its names and defaults are those of sentence-transformers 6, which also reads what earlier versions wrote.
"""

import logging
from collections.abc import Collection
from typing import Any

from hybridrank.training.onnx.sources.checkpoint import Checkpoint
from hybridrank.training.onnx.sources.sentence_names import (
    DOCUMENT_PROMPTS,
    LENGTH_FILES,
    POOLING_FLAGS,
    QUERY_PROMPTS,
    first_of,
)
from hybridrank.training.onnx.sources.source_files import ExportFailed

__all__ = [
    "answer_ids",
    "default_prompt",
    "poolings",
    "pools",
    "prefixes",
    "require_modules",
    "require_same_vectors",
    "settings",
    "truncated",
]

log = logging.getLogger(__name__)

PREFIXES = "--query-prefix and --document-prefix"
READ = frozenset({"max_seq_length", "do_lower_case", "transformer_task", "modality_config", "module_output_name"})
ARGUMENTS = ("model_args", "model_kwargs", "tokenizer_args", "processor_kwargs", "config_args", "config_kwargs")
HARMLESS = frozenset(  # arguments that change no result, at fp32 and one text at a time
    {"add_pooling_layer", "attn_implementation", "dtype", "padding_side", "torch_dtype", "trust_remote_code"}
)
CONFIG = "config_sentence_transformers.json"
REASONS = {
    "MLMTransformer": "predicts words: SPLADE has a SpladePooling module behind it, and nothing else",
    "SparseAutoEncoder": "makes sparse vectors, which the sidecar does not serve",
    "LogitScore": "takes its score from a language model, whose prompt has to be named: --template",
}


def pools(checkpoint: Checkpoint) -> bool:
    """True if sentence-transformers makes vectors of the checkpoint, whatever head it was saved with."""
    return any(each.kind == "Pooling" for each in checkpoint.modules)


def require_modules(checkpoint: Checkpoint, *first: str, behind: Collection[str] = ()) -> None:
    """Raises ExportFailed unless the modules are of these kinds: `first` in this order, then any of `behind`.

    Where some are behind, all of `first` are there.
    """
    kinds = [each.kind for each in checkpoint.modules]
    for kind in kinds:
        if kind not in (*first, *behind):
            known = ", ".join((*first, *behind))
            reason = REASONS.get(kind, f"is none of those that the sidecar computes: {known}")
            raise ExportFailed(f"{checkpoint.source} has a {kind} module (modules.json), which {reason}")
    found = [each for each in first if each in kinds]
    rest = kinds[len(found) :]
    if kinds[: len(found)] != found or not set(rest) <= set(behind) or (rest and len(found) < len(first)):
        wanted = ", ".join(first) + (f" and then {', '.join(behind)}" if behind else "")
        raise ExportFailed(f"modules.json of {checkpoint.source} has {', '.join(kinds)}, not {wanted}")


def settings(checkpoint: Checkpoint) -> dict[str, Any]:
    """Returns the settings of the Transformer module; raises ExportFailed for one that the sidecar cannot follow."""
    within = f"{checkpoint.folder}/" if checkpoint.folder else ""
    for name in LENGTH_FILES:
        if said := checkpoint.json(within + name):
            break
    else:
        return {}
    if any(each.kind == "LogitScore" for each in checkpoint.modules):  # the rest is about a chat template: not used
        return {"max_seq_length": said.get("max_seq_length")}
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


def poolings(checkpoint: Checkpoint, *, prefixed: bool) -> tuple[str, ...]:
    """Returns the poolings by sentence-transformers' names: the mean where nothing is said.

    Raises ExportFailed if a text is `prefixed` and they leave the prefix out.
    """
    name = next(
        (f"{each.path or '1_Pooling'}/config.json" for each in checkpoint.modules if each.kind == "Pooling"), ""
    )
    name = name or "1_Pooling/config.json"
    said = checkpoint.json(name)
    modes = said.get("pooling_mode") or [mode for flag, mode in POOLING_FLAGS.items() if said.get(flag)] or ["mean"]
    modes = [modes] if isinstance(modes, str) else modes
    if unknown := [str(each) for each in modes if each not in POOLING_FLAGS.values()]:
        raise ExportFailed(
            f"{checkpoint.source} pools in a way that the sidecar does not: {' and '.join(unknown)} in {name}; it "
            f"pools by {', '.join(POOLING_FLAGS.values())}"
        )
    if said.get("include_prompt") is False and prefixed and list(modes) != ["lasttoken"]:
        raise ExportFailed(
            f"{checkpoint.source} leaves the prompt out of what it pools (include_prompt in {name}), and the "
            "sidecar does not"
        )
    return tuple(modes)


def prefixes(checkpoint: Checkpoint, query: str | None = None, document: str | None = None) -> dict[str, str]:
    """Returns the prompts of queries and documents as fields of model.toml: those that were asked for, else the files'.

    Logs where one that was asked for replaces another in the files.
    """
    prompts = {name: prompt for name, prompt in _prompts(checkpoint).items() if prompt}
    asked = {"query_prefix": query, "document_prefix": document}
    if None in asked.values():
        require_no_default_prompt(checkpoint)
    if set(asked.values()) == {None} and prompts and not prompts.keys() & {*QUERY_PROMPTS, *DOCUMENT_PROMPTS}:
        raise ExportFailed(
            f"{checkpoint.source} has the prompts {', '.join(sorted(prompts))} in {CONFIG}, and none is for queries "
            f"or documents by its name; say {PREFIXES}, which may be empty"
        )
    said = {"query_prefix": first_of(prompts, QUERY_PROMPTS), "document_prefix": first_of(prompts, DOCUMENT_PROMPTS)}
    for field, prefix in asked.items():
        if prefix is not None and said[field] not in ("", prefix):
            log.info("the %s %r that was asked for replaces %r in %s", field, prefix, said[field], CONFIG)
    return said | {field: prefix for field, prefix in asked.items() if prefix is not None}


def require_no_default_prompt(checkpoint: Checkpoint) -> None:
    """Raises ExportFailed if sentence-transformers would put a prompt before queries and documents alike."""
    if default_prompt(checkpoint):
        name = checkpoint.json(CONFIG)["default_prompt_name"]
        raise ExportFailed(
            f"{checkpoint.source} puts the prompt {name} before all texts (default_prompt_name in {CONFIG}), which the "
            f"sidecar does not: say {PREFIXES} in its place"
        )


def default_prompt(checkpoint: Checkpoint) -> str:
    """Returns the prompt that sentence-transformers takes where a caller names none, "" if there is none."""
    return _prompts(checkpoint).get(str(checkpoint.json(CONFIG).get("default_prompt_name")), "")


def _prompts(checkpoint: Checkpoint) -> dict[str, str]:
    """Returns the prompts by their names; raises ExportFailed if they are something else than texts."""
    said = checkpoint.json(CONFIG).get("prompts") or {}
    if not isinstance(said, dict) or not all(isinstance(each, str | None) for each in said.values()):
        raise ExportFailed(f"prompts in {CONFIG} of {checkpoint.source} are no texts by name")
    return {name: prompt or "" for name, prompt in said.items()}


def answer_ids(checkpoint: Checkpoint) -> list[int]:
    """Returns the ids of the tokens that LogitScore compares, relevant first; empty without that module."""
    path = next((each.path for each in checkpoint.modules if each.kind == "LogitScore"), None)
    said = {} if path is None else checkpoint.json(f"{path}/config.json")
    return [said[key] for key in ("true_token_id", "false_token_id") if said.get(key) is not None]


def truncated(checkpoint: Checkpoint, width: int) -> int:
    """Returns the dimensions of a vector: all of its `width`, or the first ones that a Matryoshka model keeps."""
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
