"""Small checkpoints of many architectures with random weights, in the layout of the hub. Needs torch."""

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from tests.golden.tiny_models import LETTERS, VOCABULARY

POSITIONS = 48
ROBERTAS = ("camembert", "mpnet", "xlm-roberta")  # positions start behind the padding id
WORDS = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *VOCABULARY[5:], *LETTERS.upper()]
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "initializer_range": 0.4,
    "max_position_embeddings": POSITIONS,
}
DECODER = {"num_key_value_heads": 1, "head_dim": 16}
OWN = {
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
    "albert": {"embedding_size": 16},
    "modernbert": {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2},
    "qwen2": DECODER,
    "qwen3": DECODER,
    "llama": DECODER,
    "gemma": DECODER,
    "gemma2": {**DECODER, "sliding_window": 8},
    "gemma3_text": {**DECODER, "sliding_window": 8},
    "mistral": DECODER,
    "t5": {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "initializer_factor": 2.0},
}


def save(folder: Path, model_type: str, head: str = "", *, seed: int = 3, **config: Any) -> Path:
    """Saves weights of the class for `head` ("" for none) and a tokenizer that says nothing of a length."""
    torch.manual_seed(seed)
    sizes = {**SIZES, "vocab_size": len(WORDS), "pad_token_id": 1, **OWN.get(model_type, {}), **config}
    described = transformers.AutoConfig.for_model(model_type, **sizes)
    model = getattr(transformers, f"AutoModel{head}").from_config(described)
    with torch.no_grad():  # norms and biases that differ, as they do once a model was trained
        for parameter in filter(lambda each: each.ndim == 1, model.parameters()):
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder)
    save_tokenizer(folder, twice=model_type in ROBERTAS)
    return folder


def save_tokenizer(folder: Path, *, twice: bool = False, only_last: bool = False) -> None:
    """Pieces of one letter and a few words; `twice` puts two separators between the texts of a pair.

    With `only_last` a text has no first token, as in many decoders.
    """
    tokenizer = Tokenizer(models.WordPiece({word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    between = "</s> </s>" if twice else "</s>"
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>" if only_last else "<s> $A </s>",
        pair=f"<s> $A {between} $B{'' if twice else ':1'} </s>{'' if twice else ':1'}",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    save_wrapped(tokenizer, folder)


def save_wrapped(tokenizer: Tokenizer, folder: Path, **fields: Any) -> None:
    """Saves a tokenizer with RoBERTa's special tokens, and further `fields` of tokenizer_config.json."""
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        **fields,
    ).save_pretrained(folder)


def add(folder: Path, **files: Any) -> None:
    """Writes files by their names without .json, with two underscores for a slash, or changes what they say."""
    for name, content in files.items():
        path = folder / f"{name.replace('__', '/')}.json"
        path.parent.mkdir(exist_ok=True)
        said = json.loads(path.read_text()) if path.is_file() and isinstance(content, dict) else None
        path.write_text(json.dumps({**said, **content} if said else content))


def add_layer(folder: Path, path: str, weights: dict[str, Any], **config: Any) -> None:
    """Writes a layer behind a pooling, such as Dense."""
    add(folder, **{f"{path}__config": config})
    save_file(weights, folder / path / "model.safetensors")


def add_dense(folder: Path, path: str, inputs: int, outputs: int, activation: str = "", *, bias: bool = True) -> None:
    """Writes a Dense module with random weights; without `activation` config.json names none."""
    torch.manual_seed(outputs)
    said = {"activation_function": f"torch.nn.modules.{activation}"} if activation else {}
    weights = {"linear.weight": torch.randn(outputs, inputs) * 0.3, "linear.bias": torch.randn(outputs) * 0.3}
    if not bias:
        del weights["linear.bias"]
    add_layer(folder, path, weights, in_features=inputs, out_features=outputs, bias=bias, **said)


def as_sentence_transformer(folder: Path, *kinds: str, transformer: str = "", **files: Any) -> Path:
    """Adds modules.json for a Transformer with these modules behind it, and other files."""
    listed = [("Transformer", transformer), *((kind, f"{place}_{kind}") for place, kind in enumerate(kinds, start=1))]
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for place, (kind, path) in enumerate(listed)
    ]
    pooling = {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True}
    add(folder, modules=modules, **{**({"1_Pooling__config": pooling} if "Pooling" in kinds else {}), **files})
    return folder
