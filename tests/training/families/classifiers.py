"""Sequence classifiers: BERT and its relatives, and decoders."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.training.families.row import Array, Row, Served
from tests.training.families.texts import Pair

__all__ = ["ROWS", "logits"]


def _saved(folder: Path, model_type: str, **config: Any) -> None:
    from tests.training import tiny_checkpoints

    tiny_checkpoints.save(folder, model_type, "ForSequenceClassification", **config)


def logits(source: Path, pairs: Sequence[Pair], max_tokens: int) -> Array:
    """Returns transformers' (pairs, labels), a pair at a time; the query keeps at most half of the tokens."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source)
    model = AutoModelForSequenceClassification.from_pretrained(source).eval()
    found = []
    for query, passage in pairs:
        head, tail = (tokenizer(text, add_special_tokens=False)._encodings[0] for text in (query, passage))
        head.truncate(max_tokens // 2)
        tail.truncate(max_tokens - len(head) - tokenizer.num_special_tokens_to_add(pair=True))
        pair = tokenizer.backend_tokenizer.post_process(head, tail)
        inputs = {"input_ids": pair.ids, "attention_mask": [1] * len(pair), "token_type_ids": pair.type_ids}
        read = {name: torch.tensor([ids]) for name, ids in inputs.items() if name in tokenizer.model_input_names}
        with torch.inference_mode():
            found.append(model(**read).logits[0].numpy())
    return np.array(found)


def one_logit(source: Path, pairs: Sequence[Pair], max_tokens: int) -> Array:
    return logits(source, pairs, max_tokens)[:, 0]


def log_odds(source: Path, pairs: Sequence[Pair], max_tokens: int, *, relevant: int) -> Array:
    """Returns the logarithm of the odds that softmax gives the relevant one of two labels."""
    exponents = np.exp(logits(source, pairs, max_tokens).astype(np.float64))
    odds = exponents / exponents.sum(axis=1, keepdims=True)
    return np.log(odds[:, relevant] / odds[:, 1 - relevant])


def _one_label(name: str, examples: str, model_type: str, max_tokens: int = 48, **config: Any) -> Served:
    build = partial(_saved, model_type=model_type, num_labels=1, **config)
    return Served(name, examples, "cross-encoder", build, one_logit, max_tokens)


NAMED = {"id2label": {0: "yes", 1: "no"}, "label2id": {"yes": 0, "no": 1}}
ROBERTA = 46  # positions that start behind the padding id
NARROW = {"initializer_range": 0.3}  # int8 keeps no order of golden pairs where random layers magnify its rounding
ROWS: tuple[Row, ...] = (
    _one_label("BERT", "cross-encoder/ms-marco-MiniLM-L6-v2", "bert"),
    _one_label("ELECTRA", "cross-encoder/ms-marco-electra-base", "electra", initializer_range=0.25),
    _one_label("RoBERTa", "cross-encoder/stsb-roberta-base", "roberta", ROBERTA),
    _one_label("XLM-RoBERTa", "BAAI/bge-reranker-base, BAAI/bge-reranker-v2-m3", "xlm-roberta", ROBERTA),
    _one_label("CamemBERT", "antoinelouis/crossencoder-camembert-base-mmarcoFR", "camembert", ROBERTA),
    _one_label("DeBERTa", "mixedbread-ai/mxbai-rerank-base-v1", "deberta-v2"),
    _one_label("ModernBERT", "Alibaba-NLP/gte-reranker-modernbert-base", "modernbert"),
    _one_label("DistilBERT", "fine-tuned models", "distilbert"),
    _one_label("MPNet", "fine-tuned models", "mpnet", ROBERTA, **NARROW),
    _one_label("ALBERT", "fine-tuned models", "albert", seed=1),
    _one_label("Qwen2", "fine-tuned models", "qwen2"),
    _one_label("Qwen3", "fine-tuned models", "qwen3"),
    _one_label("Llama", "fine-tuned models", "llama"),
    _one_label("Mistral", "fine-tuned models", "mistral"),
    _one_label("Gemma", "fine-tuned models", "gemma"),
    _one_label("Gemma 2", "fine-tuned models", "gemma2"),
    _one_label("Gemma 3", "fine-tuned models", "gemma3_text"),
    Served(
        "BERT with two labels",
        "castorini/monobert-large-msmarco",
        "cross-encoder",
        partial(_saved, model_type="bert", num_labels=2),
        partial(log_odds, relevant=1),
    ),
    Served(
        "XLM-RoBERTa with two named labels",
        "fine-tuned models",
        "cross-encoder",
        partial(_saved, model_type="xlm-roberta", **NAMED),
        partial(log_odds, relevant=0),
        max_tokens=46,
    ),
)
