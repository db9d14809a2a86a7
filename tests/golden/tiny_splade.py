"""A small SPLADE model with random weights, and what sentence-transformers computes with it. Needs torch."""

from pathlib import Path

import torch
from sentence_transformers import SparseEncoder
from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

from tests.golden.tiny_models import MAX_TOKENS
from tests.golden.tiny_models import VOCABULARY as REPEATING

VOCABULARY = list(dict.fromkeys(REPEATING))  # sentence-transformers wants an id for each token


def save(folder: Path, seed: int) -> Path:
    """Save SPLADE as sentence-transformers does; a bias keeps its vectors sparse."""
    plain = save_plain(folder.with_suffix(".plain"), seed, bias=-4.0)
    SparseEncoder(str(plain), device="cpu").save_pretrained(str(folder))
    return folder


def save_plain(folder: Path, seed: int, *, bias: float = 0.0) -> Path:
    """Save a masked language model as transformers does."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=MAX_TOKENS,
        initializer_range=0.4,
    )
    model = BertForMaskedLM(config)
    with torch.no_grad():
        model.cls.predictions.bias.add_(bias)
    model.save_pretrained(folder)
    ids = {token: token_id for token_id, token in enumerate(VOCABULARY)}
    BertTokenizerFast(ids, model_max_length=MAX_TOKENS).save_pretrained(folder)
    return folder


def weights(folder: Path, texts: list[str]) -> list[dict[str, float]]:
    """Token → weight of each text, without special tokens."""
    model = SparseEncoder(str(folder), device="cpu")
    special = set(model.tokenizer.all_special_tokens)
    rows = [model.encode([text], convert_to_sparse_tensor=False)[0].tolist() for text in texts]
    return [
        {token: weight for token, weight in zip(VOCABULARY, row, strict=True) if weight > 0 and token not in special}
        for row in rows
    ]
