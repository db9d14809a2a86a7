"""Encoders of texts, as sentence-transformers and its forerunners save them."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.training.families.row import Array, Row, Served
from tests.training.families.texts import Pair

__all__ = ["ROWS", "vectors"]

MEAN = ("Pooling", "Normalize")


def vectors(source: Path, pairs: Sequence[Pair], max_tokens: int) -> Array:
    """Returns sentence-transformers' unit vectors, (pairs, 2, dimensions), a text at a time."""
    from sentence_transformers import SentenceTransformer

    library = SentenceTransformer(str(source), device="cpu")
    library.max_seq_length = max_tokens
    sides = zip((library.encode_query, library.encode_document), zip(*pairs, strict=True), strict=True)
    found = []
    for encode, texts in sides:
        by_text = {text: encode([text], normalize_embeddings=True)[0] for text in dict.fromkeys(texts)}
        found.append([by_text[text] for text in texts])
    return np.array(found).swapaxes(0, 1)


def _saved(
    folder: Path, model_type: str, modules: Sequence[str] = MEAN, head: str = "", layers: int = 2, **files: Any
) -> None:
    from tests.training import tiny_checkpoints as tiny

    tiny.save(folder, model_type, head, num_hidden_layers=layers)
    if modules:
        tiny.as_sentence_transformer(folder, *modules, **files)


def old_layout(folder: Path) -> None:
    """Saves transformers' files into a folder of their own, with the settings under the name that they once had."""
    from tests.training import tiny_checkpoints as tiny

    tiny.save(folder / "0_Transformer", "bert")
    tiny.add(folder / "0_Transformer", sentence_roberta_config={"max_seq_length": 40, "do_lower_case": True})
    tiny.as_sentence_transformer(folder, "Pooling", transformer="0_Transformer")


def last_token(folder: Path) -> None:
    from tests.training import tiny_checkpoints as tiny

    _saved(folder, "qwen3", head="ForCausalLM")
    tiny.save_tokenizer(folder, only_last=True)
    pooling = {"pooling_mode_lasttoken": True, "pooling_mode_mean_tokens": False}
    prompts = {"query": "Instruct: rank what is searched\nQuery:", "document": ""}
    tiny.add(folder, **{"1_Pooling__config": pooling}, config_sentence_transformers={"prompts": prompts})


def dense(folder: Path) -> None:
    from tests.training import tiny_checkpoints as tiny

    _saved(folder, "bert", (*MEAN[:1], "Dense", *MEAN[1:]))
    tiny.add(folder, **{"1_Pooling__config": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}})
    tiny.add_dense(folder, "2_Dense", 32, 24, "activation.Tanh")


def encoder_of_t5(folder: Path) -> None:
    from tests.training import tiny_checkpoints as tiny

    _saved(folder, "t5", (*MEAN[:1], "Dense", *MEAN[1:]), head="ForSeq2SeqLM")
    tiny.add_dense(folder, "2_Dense", 32, 24, "linear.Identity", bias=False)


def _encoder(name: str, examples: str, model_type: str, max_tokens: int = 48, **saved: Any) -> Served:
    return Served(name, examples, "encoder", partial(_saved, model_type=model_type, **saved), vectors, max_tokens)


ROBERTA = 46  # positions that start behind the padding id
CLS = {"1_Pooling__config": {"pooling_mode": "cls", "word_embedding_dimension": 32, "pooling_mode_mean_tokens": False}}
PROMPTS = {"config_sentence_transformers": {"prompts": {"query": "what is ", "document": "passage ", "other": "rank "}}}
MATRYOSHKA = {"config_sentence_transformers": {"truncate_dim": 8}}
ROWS: tuple[Row, ...] = (
    _encoder("BERT", "sentence-transformers/all-MiniLM-L6-v2, BAAI/bge-small-en-v1.5", "bert", **CLS),
    _encoder("BERT without modules.json", "facebook/contriever", "bert", modules=()),
    _encoder("BERT with truncate_dim", "Matryoshka models", "bert", **MATRYOSHKA),
    _encoder("BERT with an MLM head and a Pooling", "fine-tuned models", "bert", head="ForMaskedLM"),
    _encoder("RoBERTa", "sentence-transformers/all-distilroberta-v1", "roberta", ROBERTA),
    _encoder(
        "XLM-RoBERTa with prompts", "intfloat/multilingual-e5-small, BAAI/bge-m3", "xlm-roberta", ROBERTA, **PROMPTS
    ),
    _encoder("ModernBERT", "Alibaba-NLP/gte-modernbert-base", "modernbert", layers=1),
    _encoder("DistilBERT", "sentence-transformers/msmarco-distilbert-base-v4", "distilbert"),
    _encoder("MPNet", "sentence-transformers/all-mpnet-base-v2", "mpnet", ROBERTA, layers=1),
    Served("Qwen3 that pools the last token", "Qwen/Qwen3-Embedding-0.6B", "encoder", last_token, vectors),
    Served("BERT with a Dense module", "sentence-transformers/LaBSE", "encoder", dense, vectors),
    Served(
        "encoder of T5",
        "sentence-transformers/sentence-t5-base, sentence-transformers/gtr-t5-base",
        "encoder",
        encoder_of_t5,
        vectors,
        asked={"max_tokens": 48},  # its positions have no end
    ),
    Served("sentence-transformers' old layout", "models of 2019 to 2021", "encoder", old_layout, vectors, 40),
)
