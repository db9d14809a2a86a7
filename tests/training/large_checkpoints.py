"""XLM-RoBERTa large with random weights, in the layout of the hub: 560 million parameters, 2.3 GB. Needs torch.

python -m tests.training.large_checkpoints FOLDER cross-encoder|encoder
"""

import argparse
import itertools
import string
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from hybridrank.training.onnx.golden_pairs import GOLDEN_PAIRS
from tests.training import tiny_checkpoints

VOCABULARY = 250_002
POSITIONS = 8194
SIZES = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": POSITIONS,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
}
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
HEADS = {"cross-encoder": "ForSequenceClassification", "encoder": ""}
CLS_POOLING = {"embedding_dimension": SIZES["hidden_size"], "pooling_mode": "cls"}


def save(folder: Path, kind: str) -> None:
    """Writes weights as a model has them before training, and a tokenizer of whole words."""
    torch.manual_seed(3)
    described = transformers.XLMRobertaConfig(**SIZES, num_labels=1)
    getattr(transformers, f"AutoModel{HEADS[kind]}").from_config(described).save_pretrained(folder)
    save_tokenizer(folder)
    if kind == "encoder":
        tiny_checkpoints.as_sentence_transformer(folder, "Pooling", **{"1_Pooling__config": CLS_POOLING})


def save_tokenizer(folder: Path) -> None:
    """Words of the golden pairs and single characters, then made-up words up to the size of the vocabulary."""
    words = {f"▁{word}" for query, passages in GOLDEN_PAIRS for text in (query, *passages) for word in text.split()}
    characters = {each for each in string.printable if not each.isspace()} | {"▁"}
    made_up = ("▁" + "".join(letters) for letters in itertools.product(string.ascii_lowercase, repeat=4))
    known = [*sorted(characters), *sorted(words - characters)]
    pieces = [*known, *itertools.islice((each for each in made_up if each not in words), VOCABULARY - len(known) - 5)]
    scored = [*((each, 0.0) for each in SPECIAL), *((each, -1.0 - 9.0 * (len(each) == 1)) for each in pieces)]
    tokenizer = Tokenizer(models.Unigram([*scored, ("<mask>", 0.0)], unk_id=3))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = ["input_ids", "attention_mask"]
    tiny_checkpoints.save_wrapped(tokenizer, folder, model_max_length=POSITIONS - 2, model_input_names=names)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("kind", choices=HEADS)
    arguments = parser.parse_args()
    save(arguments.folder, arguments.kind)
