"""Settings from the files beside an ONNX file: the length, the pooling and the prefixes; flags come first."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridrank.training.onnx.importing.errors import ImportRefused

__all__ = ["SettingsFiles", "encoder_fields", "lower_case", "max_tokens"]

POOLING_FLAGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
SERVED_POOLINGS = ("mean", "cls")
KNOWN_MODULES = ("Transformer", "Pooling", "Normalize")
MIN_TOKENS, UNLIMITED = 8, 1 << 20  # transformers writes 1e30 for a tokenizer without a limit


@dataclass(frozen=True)
class SettingsFiles:
    """The JSON files of a model, as transformers and sentence-transformers name them; empty for one that is absent."""

    config: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: Mapping[str, Any] = field(default_factory=dict)  # tokenizer.json
    tokenizer_config: Mapping[str, Any] = field(default_factory=dict)
    sentence_bert_config: Mapping[str, Any] = field(default_factory=dict)
    config_sentence_transformers: Mapping[str, Any] = field(default_factory=dict)
    pooling: Mapping[str, Any] = field(default_factory=dict)  # 1_Pooling/config.json
    modules: tuple[Mapping[str, Any], ...] = ()


def max_tokens(files: SettingsFiles, asked: int | None) -> int:
    """Returns `asked`, else the smallest limit in the files; raises ImportRefused for none, or one out of reach."""
    positions = _limit(files.config.get("max_position_embeddings"))
    if positions and "roberta" in str(files.config.get("model_type")):  # its positions start after the padding id
        positions -= int(files.config.get("pad_token_id") or 0) + 1
    if asked is not None:
        if not MIN_TOKENS <= asked <= (positions or asked):
            raise ImportRefused(f"it reads {MIN_TOKENS} to {positions or 'any number of'} tokens, not {asked}")
        return asked
    said = (
        positions,
        _limit(files.tokenizer_config.get("model_max_length")),
        _limit(files.sentence_bert_config.get("max_seq_length")),
    )
    limits = [each for each in said if each]
    cut = _limit((files.tokenizer.get("truncation") or {}).get("max_length"))  # where it was saved, not what it can
    if not limits and not cut:
        raise ImportRefused("no file says how many tokens it reads; say --max-tokens, such as 512")
    return min(limits) if limits else int(cut or 0)


def _limit(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and MIN_TOKENS <= value < UNLIMITED else None


def lower_case(files: SettingsFiles) -> bool | None:
    """Returns whether texts are read in lower case: transformers overrules tokenizer.json; None if no file says so."""
    if files.sentence_bert_config.get("do_lower_case"):
        return True
    said = files.tokenizer_config.get("do_lower_case")
    return said if isinstance(said, bool) else None


def encoder_fields(
    files: SettingsFiles, *, pooling: str | None, query_prefix: str | None, document_prefix: str | None
) -> dict[str, str]:
    """Returns pooling and prefixes for model.toml; raises ImportRefused for what the sidecar does not compute."""
    _check_modules(files)
    said = _pooling(files.pooling)
    if said is None and pooling is None:
        raise ImportRefused("no 1_Pooling/config.json says how it pools; say --pooling cls or --pooling mean")
    chosen = pooling or said or ""
    if chosen not in SERVED_POOLINGS:
        raise ImportRefused(f"it pools by {chosen}; the sidecar computes {' and '.join(SERVED_POOLINGS)}")
    query, document = _prefixes(files.config_sentence_transformers, query_prefix, document_prefix)
    if chosen == "mean" and (query or document) and files.pooling.get("include_prompt") is False:
        raise ImportRefused("its mean leaves the prefix out (include_prompt is false); the sidecar's does not")
    return {"pooling": chosen, "query_prefix": query, "document_prefix": document}


def _check_modules(files: SettingsFiles) -> None:
    for module in files.modules:
        kind = str(module.get("type")).rsplit(".", 1)[-1]
        if kind not in KNOWN_MODULES:
            raise ImportRefused(f"it has a {kind} module, which is not in the ONNX file's output")
    if dimensions := files.config_sentence_transformers.get("truncate_dim"):
        raise ImportRefused(f"its vectors are cut to {dimensions} dimensions (truncate_dim); the sidecar's are not")


def _pooling(config: Mapping[str, Any]) -> str | None:
    modes = {mode for flag, mode in POOLING_FLAGS.items() if config.get(flag)}
    named = config.get("pooling_mode")
    modes |= set(named if isinstance(named, list) else [str(named)] if named else [])
    return "+".join(sorted(modes)) or None


def _prefixes(config: Mapping[str, Any], query: str | None, document: str | None) -> tuple[str, str]:
    prompts = config.get("prompts") or {}
    default = config.get("default_prompt_name")
    if default and None in (query, document):
        raise ImportRefused(
            f"it puts its prompt {default!r} before every text; say --query-prefix and --document-prefix in its place"
        )
    if query is None:
        query = prompts.get("query") or ""
    if document is None:
        document = prompts.get("document") or prompts.get("passage") or ""
    return query, document
