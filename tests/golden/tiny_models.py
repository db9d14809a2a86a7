"""Two small BERTs with random weights, and what plain transformers computes with them. Needs torch and transformers."""

from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer, BertConfig, BertTokenizerFast
from transformers import BertForSequenceClassification as CrossEncoder
from transformers import BertModel as Encoder

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
VOCABULARY = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *(LETTERS + ".,?!'"),
    *("##" + letter for letter in LETTERS),
    *("the", "of", "what", "is", "rank", "passage", "query", "search", "engine", "##ing", "##ed", "##s"),
]
MAX_TOKENS = 48


def save(folder: Path, kind: str, seed: int) -> None:
    """Save a model as transformers does. The weights are wide, so that scores differ by far more than the tolerance."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=MAX_TOKENS,
        initializer_range=0.4,
        num_labels=1,
    )
    (CrossEncoder(config) if kind == "cross-encoder" else Encoder(config)).save_pretrained(folder)
    ids = {token: token_id for token_id, token in enumerate(VOCABULARY)}
    BertTokenizerFast(ids, model_max_length=MAX_TOKENS).save_pretrained(folder)


@torch.inference_mode()
def logits(folder: Path, pairs: list[tuple[str, str]]) -> list[float]:
    """Cross-encoder scores, a pair at a time."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSequenceClassification.from_pretrained(folder)
    found = []
    for query, passage in pairs:
        inputs = tokenizer(query, passage, truncation="only_second", max_length=MAX_TOKENS, return_tensors="pt")
        found.append(model(**inputs).logits.item())
    return found


@torch.inference_mode()
def token_rows(folder: Path, texts: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each text its token rows (tokens, 32), special tokens included, and which rows are those of real tokens."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    found = []
    for text in texts:
        inputs = tokenizer(
            text, truncation=True, max_length=MAX_TOKENS, return_tensors="pt", return_special_tokens_mask=True
        )
        special = inputs.pop("special_tokens_mask")[0].numpy() == 1
        found.append((model(**inputs).last_hidden_state[0].numpy(), ~special))
    return found


def dense(folder: Path, texts: list[str]) -> list[list[float]]:
    """The mean of a text's token rows, at unit length."""
    means = [rows.mean(axis=0) for rows, _ in token_rows(folder, texts)]
    return [(mean / np.linalg.norm(mean)).tolist() for mean in means]


def late_interaction(folder: Path, pairs: list[tuple[str, str]]) -> list[float]:
    """The mean over query tokens of the highest cosine with any passage token, one loop inside another."""
    found = []
    for query, passage in pairs:
        (query_rows, real_query), (passage_rows, real_passage) = token_rows(folder, [query, passage])
        best = [
            max(
                float(q @ p / (np.linalg.norm(q) * np.linalg.norm(p)))
                for p, is_real in zip(passage_rows, real_passage, strict=True)
                if is_real
            )
            for q, is_real in zip(query_rows, real_query, strict=True)
            if is_real
        ]
        found.append(sum(best) / len(best))
    return found
