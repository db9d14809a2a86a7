"""Reads ColBERT checkpoints of colbert-ai and PyLate: their configuration, and their projection for torch.

Missing values have those libraries' defaults: colbert-ai 0.2 and PyLate 1.6.
"""

import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from hybridrank.training.onnx.sources.dense import read_dense
from hybridrank.training.onnx.sources.source_files import ExportFailed, saved_json, saved_weights

__all__ = ["Checkpoint", "TokenVectors", "read"]


@dataclass(frozen=True)
class Checkpoint:
    """`fields` of model.toml, and the projection from the encoder's last hidden states to token vectors."""

    fields: dict[str, Any]
    projection: torch.nn.Module


class TokenVectors(torch.nn.Module):  # type: ignore[misc]
    """An encoder with its projection: (batch, tokens, dimensions), each of any length."""

    def __init__(self, encoder: torch.nn.Module, projection: torch.nn.Module) -> None:
        super().__init__()
        self.encoder, self.projection = encoder, projection

    def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any = None) -> dict[str, Any]:
        """Returns the vectors under the name of the graph's output."""
        segments = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **segments).last_hidden_state
        return {"token_vectors": self.projection(hidden)}


def read(source: str, config: Any, tokenizer: Any) -> Checkpoint | None:
    """Reads the source's configuration; None if it is not a ColBERT checkpoint; raises ExportFailed if unsupported."""
    metadata = saved_json(source, "artifact.metadata")
    if metadata or "HF_ColBERT" in (config.architectures or ()):
        return _colbert_ai(source, metadata.get("config", metadata), tokenizer)
    modules = saved_json(source, "modules.json") or []
    if any(module["type"].startswith("pylate.") for module in modules):
        return _pylate(source, modules, tokenizer)
    return None


def _colbert_ai(source: str, metadata: dict[str, Any], tokenizer: Any) -> Checkpoint:
    if not metadata:
        raise ExportFailed(f"{source} is a ColBERT model without artifact.metadata, which says how it reads queries")
    for key, wanted in (("similarity", "cosine"), ("interaction", "colbert")):
        if metadata.get(key, wanted) != wanted:
            raise ExportFailed(f"{source} has the {key} {metadata[key]!r}; the sidecar computes {wanted!r}")
    punctuation = string.punctuation if metadata.get("mask_punctuation", True) else ""
    skipped = [tokenizer.encode(symbol, add_special_tokens=False)[0] for symbol in punctuation]
    weights = saved_weights(source)
    if "linear.weight" not in weights:
        raise ExportFailed(f"{source} has no linear.weight, the projection of a ColBERT model")
    dimensions, width = weights["linear.weight"].shape
    projection = torch.nn.Linear(width, dimensions, bias=False)
    projection.load_state_dict({"weight": weights["linear.weight"]})
    fields = {
        "dimensions": dimensions,
        "query_length": metadata.get("query_maxlen", 32),
        "max_tokens": metadata.get("doc_maxlen", 220),
        "query_marker": _token(source, tokenizer, metadata.get("query_token_id", "[unused0]")),
        "document_marker": _token(source, tokenizer, metadata.get("doc_token_id", "[unused1]")),
        "expansion_token": tokenizer.mask_token,
        "attend_to_expansion": metadata.get("attend_to_mask_tokens", False),
        "skiplist": _known(tokenizer, tokenizer.convert_ids_to_tokens(skipped)),
    }
    return Checkpoint(fields, projection)


def _pylate(source: str, modules: list[dict[str, Any]], tokenizer: Any) -> Checkpoint:
    first, *dense = modules
    for module, kind in ((first, "Transformer"), *((each, "Dense") for each in dense)):
        if module["type"].rsplit(".", 1)[-1] != kind or bool(module["path"]) != (kind == "Dense"):
            raise ExportFailed(f"{source} has a {module['type']} in {module['path']!r}; expected is a {kind}")
    if not dense:
        raise ExportFailed(f"{source} has no Dense module, the projection of a ColBERT model")
    config = saved_json(source, "config_sentence_transformers.json")
    if config.get("default_prompt_name"):
        raise ExportFailed(f"{source} puts a prompt before queries and documents alike, which the sidecar does not")
    said = {key: value for key, value in config.items() if value is not None}
    prompts = said.get("prompts", {})
    layers = [read_dense(source, module["path"]) for module in dense]
    fields = {
        "dimensions": layers[-1].linear.out_features,
        "query_length": said.get("query_length", 32),
        "max_tokens": said.get("document_length", 180),
        "query_marker": _token(source, tokenizer, said.get("query_prefix", "[Q] ")),
        "document_marker": _token(source, tokenizer, said.get("document_prefix", "[D] ")),
        "query_prefix": prompts.get("query") or "",
        "document_prefix": prompts.get("document") or prompts.get("passage") or "",
        "skiplist": _known(tokenizer, said.get("skiplist_words", string.punctuation)),
    }
    if said.get("do_query_expansion", True):
        fields["expansion_token"] = tokenizer.mask_token or tokenizer.eos_token or tokenizer.pad_token
        fields["attend_to_expansion"] = said.get("attend_to_expansion_tokens", False)
    return Checkpoint(fields, torch.nn.Sequential(*layers))


def _token(source: str, tokenizer: Any, token: str) -> str:
    if token and token not in tokenizer.get_vocab():
        raise ExportFailed(f"{source} marks texts with {token!r}, which is no token of its vocabulary")
    return token


def _known(tokenizer: Any, words: Iterable[str]) -> tuple[str, ...]:
    """Returns the words that are tokens; others would be [UNK], and every unknown word would be skipped with it."""
    vocabulary = tokenizer.get_vocab()
    return tuple(dict.fromkeys(word for word in words if word in vocabulary and word != tokenizer.unk_token))
