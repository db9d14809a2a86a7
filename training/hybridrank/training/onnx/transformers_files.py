"""Files beside the weights in a folder of transformers: those of the tokenizer, and those of sentence-transformers."""

import json
from pathlib import Path
from typing import Any

from hybridrank.model_files.model_folder import EncoderToml
from hybridrank.training.onnx.berts.bert import NotABert

__all__ = ["require_wordpiece", "write_sentence_transformers", "write_tokenizer"]

SPECIAL_TOKENS = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
PARTS = {"model": "WordPiece", "normalizer": "BertNormalizer", "pre_tokenizer": "BertPreTokenizer"}
POOLING_FLAGS = {"mean": "mean_tokens", "cls": "cls_token", "last": "lasttoken"}  # by the sidecar's names


def require_wordpiece(source: Path) -> None:
    """Raises NotABert if transformers' BertTokenizer would read texts otherwise than tokenizer.json in `source`."""
    tokenizer = _tokenizer(source)
    for part, wanted in PARTS.items():
        if (named := (tokenizer.get(part) or {}).get("type")) != wanted:
            raise NotABert(f"has a tokenizer.json with the {part} {named}; wanted is a BERT's, {wanted}")
    if missing := [token for token in SPECIAL_TOKENS.values() if token not in tokenizer["model"]["vocab"]]:
        raise NotABert(f"has no {missing[0]} in the vocabulary of its tokenizer.json")


def write_tokenizer(source: Path, out: Path, max_tokens: int) -> None:
    """Writes tokenizer.json unchanged, and the files that transformers needs beside it."""
    (out / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    tokenizer = _tokenizer(source)
    vocabulary, normalizer = tokenizer["model"]["vocab"], tokenizer["normalizer"]
    words = "".join(f"{word}\n" for word in sorted(vocabulary, key=vocabulary.__getitem__))
    (out / "vocab.txt").write_text(words, encoding="utf-8")
    about = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": normalizer["lowercase"],
        "strip_accents": normalizer.get("strip_accents"),
        "tokenize_chinese_chars": normalizer.get("handle_chinese_chars", True),
        "model_max_length": max_tokens,
    }
    _write_json(out / "tokenizer_config.json", about | SPECIAL_TOKENS)
    _write_json(out / "special_tokens_map.json", SPECIAL_TOKENS)


def write_sentence_transformers(out: Path, toml: EncoderToml) -> None:
    """Writes, beside the weights in `out`, the pooling and maximum length for sentence-transformers."""
    modules = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    described = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for place, (path, kind) in enumerate(modules)
    ]
    pooling = {f"pooling_mode_{flag}": name == toml.pooling for name, flag in POOLING_FLAGS.items()}
    prompts = {"query": toml.query_prefix, "document": toml.document_prefix}
    _write_json(out / "modules.json", described)
    _write_json(out / "sentence_bert_config.json", {"max_seq_length": toml.max_tokens, "do_lower_case": False})
    _write_json(out / "config_sentence_transformers.json", {"prompts": prompts, "similarity_fn_name": "cosine"})
    for path, _ in modules[1:]:
        (out / path).mkdir(exist_ok=True)
    _write_json(out / "1_Pooling" / "config.json", {"word_embedding_dimension": toml.dimensions, **pooling})


def _tokenizer(source: Path) -> Any:
    return json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
