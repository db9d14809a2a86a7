"""Writes an int8 cross-encoder or encoder of the sidecar as a transformers folder with fp32 weights.

    python -m hybridrank.training.onnx.dequantize models/hybridrank/models/cross-encoder-minilm-l6 OUT
    hybridrank model export OUT --out OUT-onnx

An encoder's folder is also one for sentence-transformers, which pools and cuts as the sidecar does. Other libraries can
then run exactly the served weights. They are the weights as rounded to int8, a whole number times the scale of its
column, in fp32 arithmetic; the rounding loss remains. Reads BERT as fused and quantised by ONNX Runtime (QAttention,
MatMulInteger, QEmbedLayerNormalization).
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hybridrank.common.errors import HybridrankError
from hybridrank.model_files import model_folder
from hybridrank.model_files.model_folder import CrossEncoderToml, EncoderToml

try:
    import onnx
    import torch
    import transformers
    from onnx import numpy_helper
except ImportError as error:
    raise ImportError(f"writing a model at fp32 needs {error.name}: pip install 'hybridrank[train]'") from error

__all__ = ["NotDequantizable", "dequantize", "write_sentence_transformers"]

Array = npt.NDArray[np.float32]
NORMS = (
    "LayerNormalization",
    "SkipLayerNormalization",
)  # `split_norms` replaces the second by the first
KEY = "attention.self.key.weight"
MODEL = "m."  # prefix of the graph's names before those of transformers
SPECIAL_TOKENS = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}


class NotDequantizable(HybridrankError):
    """The model is not an int8 BERT as quantised by ONNX Runtime."""


def dequantize(source: Path, out: Path) -> None:
    """Writes the model folder `source` to the folder `out`: config.json, model.safetensors and the tokenizer's files.

    Raises NotDequantizable, or BadModelFolder if the source cannot be read.
    """
    toml = model_folder.read(source).toml
    if not isinstance(toml, CrossEncoderToml | EncoderToml) or toml.precision != "int8":
        raise NotDequantizable(f"{source} is a {toml.kind} at {toml.precision}; wanted is a (cross-)encoder at int8")
    graph = onnx.load(str(source / "model.onnx")).graph
    encodes = isinstance(toml, EncoderToml)
    try:
        weights = dict(_weights(graph, "" if encodes else "bert."))
        config = _config(graph, {name.removeprefix("bert."): array for name, array in weights.items()})
        if encodes:
            model = transformers.BertModel(config, add_pooling_layer=False)
        else:
            model = transformers.BertForSequenceClassification(config)
        model.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    except (KeyError, RuntimeError, StopIteration) as error:
        raise NotDequantizable(f"{source}: model.onnx is no BERT as ONNX Runtime fuses it: {error!r}") from error
    model.save_pretrained(out)
    _write_tokenizer(source, out, toml.max_tokens)
    if isinstance(toml, EncoderToml):
        write_sentence_transformers(out, toml)


def _weights(graph: Any, body: str) -> Iterator[tuple[str, Array]]:
    """Yields every weight by its name in transformers, where names of the encoder begin with `body`.

    Linear layers are (out, in), the transpose of the graph's.
    """
    arrays = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for stored, array in arrays.items():
        name = stored.removeprefix(MODEL).removesuffix("_quantized")
        if stored.startswith(MODEL) and array.dtype == np.float32 and not stored.endswith("_scale"):
            yield name, array
        elif name.startswith(f"{body}embeddings.") and stored.endswith("_quantized"):
            yield name, _dequantized(arrays, MODEL + name)
    layer = 0
    for node in graph.node:
        if node.op_type == "QAttention":
            weight = _dequantized(arrays, node.input[1].removesuffix("_quantized"))
            parts = zip(np.split(weight, 3, axis=1), np.split(arrays[node.input[2]], 3), strict=True)
            for part, (columns, bias) in zip(("query", "key", "value"), parts, strict=True):
                name = f"{body}encoder.layer.{layer}.attention.self.{part}"
                yield f"{name}.weight", columns.T
                yield f"{name}.bias", bias
            layer += 1
        elif node.op_type == "MatMulInteger":
            stored = node.input[1].removesuffix("_quantized")
            weight = _dequantized(arrays, stored)
            yield _linear_name(stored, node.output[0]), weight.T
    for stored, array in arrays.items():  # of the layer that `training.first_query` wrote, whose scores need none
        if stored.endswith(KEY):
            yield stored.removeprefix(MODEL).replace("weight", "bias"), np.zeros(len(array), np.float32)


def _linear_name(stored: str, output: str) -> str:
    """Uses the output's name (`/m/bert/encoder/layer.0/output/dense/MatMul…`) if the weight has lost its own."""
    if stored.startswith(MODEL):
        return stored.removeprefix(MODEL)
    return output.removeprefix("/m/").rpartition("/")[0].replace("/", ".") + ".weight"


def _dequantized(arrays: dict[str, npt.NDArray[Any]], name: str) -> Array:
    """Returns (weight - zero point) × scale; both are one number or one per column."""
    whole = arrays[f"{name}_quantized"].astype(np.int32) - arrays[f"{name}_zero_point"].astype(np.int32)
    return np.asarray(whole * arrays[f"{name}_scale"], dtype=np.float32)


def _config(graph: Any, weights: dict[str, Array]) -> Any:
    """Derives the config from the shapes of the encoder's weights and the attributes of the nodes."""
    attention = next(node for node in graph.node if node.op_type == "QAttention")
    norm = next(node for node in graph.node if node.op_type in NORMS)
    words = weights["embeddings.word_embeddings.weight"]
    return transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=words.shape[1],
        num_hidden_layers=sum(name.endswith(KEY) for name in weights),
        num_attention_heads=_attribute(attention, "num_heads"),
        intermediate_size=len(weights["encoder.layer.0.intermediate.dense.weight"]),
        max_position_embeddings=len(weights["embeddings.position_embeddings.weight"]),
        type_vocab_size=len(weights["embeddings.token_type_embeddings.weight"]),
        layer_norm_eps=_attribute(norm, "epsilon"),
        num_labels=1,
    )


def _attribute(node: Any, name: str) -> Any:
    return next(onnx.helper.get_attribute_value(each) for each in node.attribute if each.name == name)


def _write_tokenizer(source: Path, out: Path, max_tokens: int) -> None:
    """Writes tokenizer.json unchanged, and the files that transformers needs beside it."""
    text = (source / "tokenizer.json").read_text(encoding="utf-8")
    (out / "tokenizer.json").write_text(text, encoding="utf-8")
    tokenizer = json.loads(text)
    vocabulary = tokenizer["model"]["vocab"]
    (out / "vocab.txt").write_text("".join(f"{word}\n" for word in sorted(vocabulary, key=vocabulary.__getitem__)))
    lower = tokenizer["normalizer"]["lowercase"]
    about = {"tokenizer_class": "BertTokenizer", "do_lower_case": lower, "model_max_length": max_tokens}
    _write_json(out / "tokenizer_config.json", about | SPECIAL_TOKENS)
    _write_json(out / "special_tokens_map.json", SPECIAL_TOKENS)


def write_sentence_transformers(out: Path, toml: EncoderToml) -> None:
    """Writes, beside the weights in `out`, the pooling and maximum length for sentence-transformers."""
    modules = (("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize"))
    described = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for place, (path, kind) in enumerate(modules)
    ]
    pooling = {f"pooling_mode_{name}": name.startswith(toml.pooling) for name in ("mean_tokens", "cls_token")}
    prompts = {"query": toml.query_prefix, "document": toml.document_prefix}
    _write_json(out / "modules.json", described)
    _write_json(out / "sentence_bert_config.json", {"max_seq_length": toml.max_tokens, "do_lower_case": False})
    _write_json(out / "config_sentence_transformers.json", {"prompts": prompts, "similarity_fn_name": "cosine"})
    for path, _ in modules[1:]:
        (out / path).mkdir(exist_ok=True)
    _write_json(out / "1_Pooling" / "config.json", {"word_embedding_dimension": toml.dimensions, **pooling})


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="a model folder of the sidecar, int8")
    parser.add_argument("out", type=Path, help="the folder to write")
    arguments = parser.parse_args()
    dequantize(arguments.source, arguments.out)
