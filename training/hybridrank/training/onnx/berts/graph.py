"""Reads a BERT from an ONNX graph: as torch and optimum write it, or as ONNX Runtime fuses and quantises it.

Parameters have transformers' names, except matrices, which exporters transpose: a matrix belongs to the layer in the
path of its node (`/encoder/layer.0/attention/self/query/MatMul`), or of the bias that is added to its product.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from hybridrank.training.onnx.berts.bert import Bert, NotABert, layers_of, parameter
from hybridrank.training.onnx.berts.constants import Array, attribute, constants

__all__ = ["read_bert"]

ATTENTIONS = ("Attention", "QAttention")
PARTS = ("query", "key", "value")
LINEAR = ("query", "key", "value", "dense", "classifier")
NORMS = ("LayerNormalization", "SkipLayerNormalization", "EmbedLayerNormalization", "QEmbedLayerNormalization")
FIRST_QUERY = "first_query."  # of the layer that `training.first_query` wrote, whose scores need no bias of the keys


def read_bert(graph: Any) -> Bert:
    """Returns the BERT of a GraphProto; raises NotABert with what cannot be read."""
    arrays = constants(graph)
    weights = {}
    for stored, array in arrays.items():
        if (name := parameter(stored)) and array.dtype == np.float32:
            weights[name] = array
    users, makers = defaultdict(list), {}
    for node in graph.node:
        makers.update(dict.fromkeys(node.output, node))
        for name in node.input:
            users[name].append(node)
    for node in graph.node:
        weights.update(_matrices(node, arrays, users))
    for stored in arrays:
        if stored.startswith(FIRST_QUERY) and (key := parameter(f"{stored.rpartition('.')[0]}.key.bias")):
            weights[key] = np.zeros(len(weights[key.replace("bias", "weight")]), np.float32)
    _require_gelu(graph, layers_of(weights))
    return Bert(weights, _heads(graph, arrays, makers), _epsilon(graph, arrays, makers, layers_of(weights)))


def _matrices(node: Any, arrays: Mapping[str, Array], users: Mapping[str, Any]) -> Iterator[tuple[str, Array]]:
    """Yields the (out, in) matrices of a node by name, and the biases of a fused attention."""
    matrix = arrays.get(node.input[1]) if len(node.input) > 1 else None
    if matrix is None or matrix.ndim != 2:
        return
    if node.op_type in ATTENTIONS:
        columns, biases = np.split(matrix, len(PARTS), axis=1), np.split(arrays[node.input[2]], len(PARTS))
        for part, weight, bias in zip(PARTS, columns, biases, strict=True):
            if name := parameter(f"{_path(node)}.{part}.weight"):
                yield name, weight.T
                yield name.replace("weight", "bias"), bias
    elif node.op_type in ("MatMul", "MatMulInteger", "Gemm") and (layer := _layer(node, users)):
        yield f"{layer}.weight", matrix if attribute(node, "transB") else matrix.T


def _layer(node: Any, users: Mapping[str, Any]) -> str | None:
    """Returns the linear layer of a product with a matrix, by the path of its node or by its bias."""
    added = (name for user in users[node.output[0]] for name in user.input)
    for named in (f"{_path(node)}.bias", *node.input[2:], *added):
        layer = (parameter(named) or "").removesuffix(".bias")
        if layer.rpartition(".")[2] in LINEAR:
            return layer
    return None


def _path(node: Any) -> str:
    """Returns the module that a node was traced in, in dots; "" if neither it nor its output is named by its path."""
    named = next((each for each in (node.name, *node.output) if each.startswith("/")), "")
    return named.strip("/").rpartition("/")[0].replace("/", ".")


def _require_gelu(graph: Any, layers: int) -> None:
    """Raises NotABert unless there are layers, and each has a GELU by the error function."""
    if not layers:
        raise NotABert("has no encoder.layer.0, as transformers names the first layer of a BERT")
    exact = sum(
        node.op_type in ("Erf", "BiasGelu")
        or (node.op_type == "Gelu" and attribute(node, "approximate", b"none") == b"none")
        for node in graph.node
    )
    if exact != layers:
        raise NotABert(f"has {exact} GELUs by the error function in {layers} layers: wanted is one in each")


def _heads(graph: Any, arrays: Mapping[str, Array], makers: Mapping[str, Any]) -> int:
    """Returns the number of heads: that of a fused attention, or the shape that queries, keys and values get."""
    found = set()
    for node in graph.node:
        if node.op_type in ATTENTIONS:
            found.add(attribute(node, "num_heads"))
        elif node.op_type == "Reshape" and (added := makers.get(node.input[0])) is not None:
            bias = next((each for each in added.input if (parameter(each) or "").endswith(_BIASES)), "")
            shape = _shape(node.input[1], arrays, makers) if bias else []
            if len(shape) == 4:
                found.add(_whole(*shape[2:], width=len(arrays[bias])))
    if len(found) != 1 or None in found:
        raise NotABert("does not say the number of heads: its queries, keys and values get no shape (…, heads, size)")
    return int(found.pop())


_BIASES = tuple(f"attention.self.{part}.bias" for part in PARTS)


def _shape(name: str, arrays: Mapping[str, Array], makers: Mapping[str, Any]) -> list[int | None]:
    """Returns a constant shape, or one put together from numbers, None for each that is computed."""
    if name in arrays:
        return [int(each) for each in arrays[name].ravel()]
    maker = makers.get(name)
    if maker is None or maker.op_type != "Concat":
        return [None]
    return [number for each in maker.input for number in (_shape(each, arrays, makers) if each in arrays else [None])]


def _whole(heads: int | None, size: int | None, *, width: int) -> int | None:
    """Returns the heads of a width, of which one of heads and size may be -1, "the rest"."""
    if heads is None or size is None:
        return None
    heads = width // size if heads == -1 else heads
    return heads if heads > 0 and width % heads == 0 and size in (-1, width // heads) else None


def _epsilon(graph: Any, arrays: Mapping[str, Array], makers: Mapping[str, Any], layers: int) -> float:
    """Returns the epsilon of all layer norms: an attribute, or the number that is added before a square root."""
    found: list[Any] = []
    for node in graph.node:
        if node.op_type in NORMS:
            found.append(attribute(node, "epsilon", 1e-5 if node.op_type == NORMS[0] else None))
        elif node.op_type == "Sqrt" and (added := makers.get(node.input[0])) is not None and added.op_type == "Add":
            found += [arrays[each].item() for each in added.input if each in arrays and arrays[each].size == 1]
    if len(found) != 2 * layers + 1 or len(set(found)) != 1 or found[0] is None:
        raise NotABert(
            f"has {len(found)} layer norms with the epsilons {sorted({*map(str, found)})} in {layers} layers"
        )
    return float(str(np.float32(found[0])))
