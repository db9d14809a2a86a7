"""Writes a cross-encoder or encoder of the sidecar, if it is a BERT, as a transformers folder with fp32 weights.

    python -m hybridrank.training.onnx.to_transformers models/hybridrank/models/cross-encoder-minilm-l6 OUT
    hybridrank model export OUT --out OUT-onnx

An encoder's folder is also one for sentence-transformers, which pools and cuts as the sidecar does. Other libraries can
then run the served weights, and training can start from them. Weights at fp32, exported or imported, are exactly those
of the graph, whose results are compared. Where a folder has only int8, they are the weights as rounded, a whole number
times the scale of its column, in fp32 arithmetic; the rounding loss remains.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hybridrank.model_files import model_folder
from hybridrank.model_files.model_folder import FP32_ONNX, CrossEncoderToml, EncoderToml
from hybridrank.sidecar.in_process import INPUTS, OnnxSession, TextTokenizer
from hybridrank.training.onnx.berts.bert import Bert, NotABert
from hybridrank.training.onnx.transformers_files import (
    require_wordpiece,
    write_sentence_transformers,
    write_tokenizer,
)

try:
    import onnx
    import torch
    import transformers

    from hybridrank.training.onnx.berts.graph import read_bert
    from hybridrank.training.onnx.original import Original, difference
except ImportError as error:
    raise ImportError(f"writing a model at fp32 needs {error.name}: pip install 'hybridrank[train]'") from error

__all__ = ["NotABert", "write_transformers"]

TOLERANCE = 1e-4  # in logits or in the entries of a token row, as for an export


def write_transformers(source: Path, out: Path) -> None:
    """Writes the model folder `source` to the folder `out`: config.json, model.safetensors and the tokenizer's files.

    The weights are those at fp32 if the folder has them, else those of int8. Raises NotABert, or BadModelFolder if the
    source cannot be read; then nothing is written.
    """
    toml = model_folder.read(source).toml
    try:
        if not isinstance(toml, CrossEncoderToml | EncoderToml):
            raise NotABert(f"is a {toml.kind}; wanted is an encoder or a cross-encoder")
        if isinstance(toml, EncoderToml) and toml.pooling == "graph":
            raise NotABert("pools in its graph; wanted is an encoder that returns a row for each token")
        require_wordpiece(source)
        exact = next(each for each in (source / FP32_ONNX, source / "model.onnx") if each.exists())
        model = _model(read_bert(onnx.load(str(exact)).graph), toml)
        if toml.precision == "fp32" or exact.name == FP32_ONNX:
            _require_same_results(model, exact, toml)
    except NotABert as error:
        raise NotABert(f"{source} {error}") from error
    except (IndexError, KeyError, ValueError) as error:
        raise NotABert(f"{source} has a graph or a tokenizer.json of another form than a BERT's: {error!r}") from error
    model.save_pretrained(out)
    write_tokenizer(source, out, toml.max_tokens)
    if isinstance(toml, EncoderToml):
        write_sentence_transformers(out, toml)


def _model(bert: Bert, toml: CrossEncoderToml | EncoderToml) -> Any:
    """Returns the transformers model; raises NotABert unless it has all of its weights and no others."""
    words = bert.weight("embeddings.word_embeddings.weight")
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=words.shape[1],
        num_hidden_layers=bert.layers,
        num_attention_heads=bert.heads,
        intermediate_size=len(bert.weight("encoder.layer.0.intermediate.dense.weight")),
        max_position_embeddings=len(bert.weight("embeddings.position_embeddings.weight")),
        type_vocab_size=len(bert.weight("embeddings.token_type_embeddings.weight")),
        layer_norm_eps=bert.epsilon,
        num_labels=1,
    )
    if isinstance(toml, EncoderToml):
        if toml.dimensions != config.hidden_size:
            raise NotABert(f"keeps {toml.dimensions} dimensions of {config.hidden_size}; wanted are all of them")
        model = transformers.BertModel(config, add_pooling_layer=False)
        weights = {name: array for name, array in bert.weights.items() if not name.startswith("pooler.")}
    else:
        model = transformers.BertForSequenceClassification(config)
        weights = {
            name if name.startswith("classifier.") else f"bert.{name}": each for name, each in bert.weights.items()
        }
    shapes = {name: tuple(each.shape) for name, each in model.state_dict().items()}
    if missing := shapes.keys() - weights.keys():
        raise NotABert(f"has no {_few(missing)}")
    if others := weights.keys() - shapes.keys():
        raise NotABert(f"has {_few(others)}, which no BERT has")
    if wrong := [name for name, shape in shapes.items() if weights[name].shape != shape]:
        raise NotABert(f"has a {wrong[0]} of the shape {weights[wrong[0]].shape}; wanted is {shapes[wrong[0]]}")
    model.load_state_dict({name: torch.tensor(np.ascontiguousarray(array)) for name, array in weights.items()})
    return model.eval()


def _require_same_results(model: Any, path: Path, toml: CrossEncoderToml | EncoderToml) -> None:
    """Raises NotABert if the graph computes other results than the BERT that was read from it."""
    output = "last_hidden_state" if isinstance(toml, EncoderToml) else "logits"
    tokenizer = TextTokenizer(path.parent / "tokenizer.json", toml.max_tokens)
    wanted = Original(model, INPUTS, output).outputs(tokenizer)
    moved = difference(OnnxSession(path, output, tokenizer.padding_id), tokenizer, wanted)
    if not moved <= TOLERANCE:
        raise NotABert(f"is no plain BERT: with its weights, one computes results that differ by {moved:.2g}")


def _few(names: Iterable[str]) -> str:
    first, *rest = sorted(names)
    return f"{first} and {len(rest)} other weights" if rest else first


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a model folder of the sidecar")
    parser.add_argument("out", type=Path, help="the folder to write")
    arguments = parser.parse_args()
    write_transformers(arguments.source, arguments.out)
