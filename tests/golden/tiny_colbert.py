"""Small ColBERT checkpoints with random weights, as PyLate and as colbert-ai save them. Needs torch."""

import json
import string
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel, BertTokenizerFast

from tests.golden.tiny_models import MAX_TOKENS, VOCABULARY

MARKERS = ("[unused0]", "[unused1]")
WORDS = list(dict.fromkeys((*MARKERS, *VOCABULARY, *string.punctuation)))
WIDTH, DIMENSIONS = 32, 8
QUERY_LENGTH, DOCUMENT_LENGTH = 44, 40


def save_encoder(folder: Path, seed: int) -> None:
    """A plain BERT with markers and all punctuation in its vocabulary."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=MAX_TOKENS,
        initializer_range=0.25,
        pad_token_id=WORDS.index("[PAD]"),
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast({word: place for place, word in enumerate(WORDS)}, model_max_length=MAX_TOKENS).save_pretrained(
        folder
    )


def save_as_colbert_ai(folder: Path, seed: int, **metadata: object) -> None:
    """Encoder and `linear.weight` in one state dict, what else there is to know in artifact.metadata."""
    save_encoder(folder, seed)
    weights = {f"bert.{name}": tensor for name, tensor in load_file(folder / "model.safetensors").items()}
    weights["linear.weight"] = torch.randn(DIMENSIONS, WIDTH) * 0.2
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    _edit(folder / "config.json", architectures=["HF_ColBERT"])
    described = {"dim": DIMENSIONS, "query_maxlen": QUERY_LENGTH, "doc_maxlen": DOCUMENT_LENGTH}
    markers = {"query_token_id": MARKERS[0], "doc_token_id": MARKERS[1]}
    (folder / "artifact.metadata").write_text(json.dumps({**described, **markers, **metadata}))


def save_as_pylate(folder: Path, seed: int, **config: object) -> None:
    """Encoder, two Dense modules (the second one residual, with bias and Tanh), and PyLate's own configuration."""
    save_encoder(folder, seed)
    modules = [("", "sentence_transformers.models.Transformer")]
    for place, (rows, columns, residual) in enumerate(((16, WIDTH, False), (DIMENSIONS, 16, True)), start=1):
        path = folder / f"{place}_Dense"
        path.mkdir()
        weights = {"linear.weight": torch.randn(rows, columns) * 0.3}
        if residual:
            weights |= {"linear.bias": torch.randn(rows) * 0.3, "residual.weight": torch.randn(rows, columns) * 0.3}
        save_file(weights, path / "model.safetensors")
        activation = "torch.nn.modules." + ("activation.Tanh" if residual else "linear.Identity")
        layer = {"in_features": columns, "out_features": rows, "bias": residual, "activation_function": activation}
        (path / "config.json").write_text(json.dumps({**layer, "use_residual": residual}))
        modules.append((path.name, "pylate.models.Dense.Dense"))
    listed = [{"idx": i, "name": str(i), "path": path, "type": kind} for i, (path, kind) in enumerate(modules)]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 11, "do_lower_case": False}))
    described = {
        "query_prefix": MARKERS[0],
        "document_prefix": MARKERS[1],
        "query_length": QUERY_LENGTH,
        "document_length": DOCUMENT_LENGTH,
        "attend_to_expansion_tokens": False,
        "skiplist_words": list(string.punctuation),
        "do_query_expansion": True,
    }
    (folder / "config_sentence_transformers.json").write_text(json.dumps({**described, **config}))


def _edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def projected_as_colbert_ai(folder: Path, rows: torch.Tensor) -> torch.Tensor:
    """Token rows (tokens, 32) → (tokens, 8), by the checkpoint's own weights."""
    return rows @ load_file(folder / "model.safetensors")["linear.weight"].T


def projected_as_pylate(folder: Path, rows: torch.Tensor) -> torch.Tensor:
    """Token rows (tokens, 32) → (tokens, 8), by the checkpoint's two layers."""
    first, second = (load_file(folder / f"{place}_Dense" / "model.safetensors") for place in (1, 2))
    rows = rows @ first["linear.weight"].T
    residual = rows @ second["residual.weight"].T
    return torch.tanh(rows @ second["linear.weight"].T + second["linear.bias"]) + residual


@torch.inference_mode()
def late_interaction(
    folder: Path,
    projected: Callable[[Path, torch.Tensor], torch.Tensor],
    pairs: list[tuple[str, str]],
    *,
    expanded: bool = True,
    attended: bool = False,
    skipped: str = string.punctuation,
) -> list[float]:
    """The sum over query tokens of the highest cosine with any scored document token, one loop inside another."""
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)

    def read(text: str, marker: str, length: int) -> list[str]:
        return ["[CLS]", marker, *tokenizer.tokenize(text)[: length - 3], "[SEP]"]

    def unit_rows(tokens: list[str], own: int) -> torch.Tensor:
        attention = [1 if place < own or attended else 0 for place in range(len(tokens))]
        ids = tokenizer.convert_tokens_to_ids(tokens)
        hidden = model(input_ids=torch.tensor([ids]), attention_mask=torch.tensor([attention])).last_hidden_state[0]
        rows = projected(folder, hidden)
        return rows / rows.norm(dim=1, keepdim=True)

    found = []
    for query, passage in pairs:
        asked = read(query, MARKERS[0], QUERY_LENGTH)
        masks = ["[MASK]"] * (QUERY_LENGTH - len(asked)) if expanded else []
        tokens = read(passage, MARKERS[1], DOCUMENT_LENGTH)
        rows = unit_rows(tokens, len(tokens))
        scored = [row for row, token in zip(rows, tokens, strict=True) if token not in set(skipped)]
        found.append(sum(max(float(q @ p) for p in scored) for q in unit_rows(asked + masks, len(asked))))
    return found
