"""Limits attention to a text's first token, if the results of the others are not used, in an ONNX file.

With one query q, a key for every token is not needed: the score of token x, q·(K x), is (Kᵀ q)·x; and the sum of
values, Σ a (V x), is V Σ a x. The layer's keys and values are then only two products per head with the input tokens.
The bias of the keys adds the same to every token's score, which the softmax cancels.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

try:
    from onnx import helper, numpy_helper
except ImportError as error:
    raise ImportError(f"rewriting a graph needs {error.name}: pip install 'hybridrank[train]'") from error

__all__ = ["first_query_only"]

FAR = -10000.0  # subtracted from a masked token's score, as in transformers
PARTS = ("query", "key", "value")
CONSTANT = "first_query."


def first_query_only(graph: Any) -> int:
    """Rewrites, in place, each fused Attention of an ONNX GraphProto from which a Gather takes the first token.

    Returns their number. Their weights are not quantised later: with so few products it would not pay.
    """
    initializers = {each.name: each for each in graph.initializer}
    masks = {node.output[1]: node.input[7] for node in graph.node if node.op_type == "EmbedLayerNormalization"}
    rewritten, taken = [], set()
    for node in graph.node:
        if node.output[0] in taken:
            continue
        users = [each for each in graph.node if node.output[0] in each.input]
        if node.op_type != "Attention" or [each.op_type for each in users] != ["Gather"] or node.input[3] not in masks:
            rewritten.append(node)
            continue
        (user,) = users
        taken.add(user.output[0])
        weight, bias = (numpy_helper.to_array(initializers[name]) for name in node.input[1:3])
        heads = next(each.i for each in node.attribute if each.name == "num_heads")
        prefix = node.output[0].removeprefix("/").rpartition("/")[0].replace("/", ".")
        graph.initializer.extend(_parameters(prefix, weight, bias, heads))
        rewritten += _attention(prefix, node.input[0], user.input[1], masks[node.input[3]], user.output[0])
        for name in node.input[1:3]:
            graph.initializer.remove(initializers[name])
    nodes = [type(node).FromString(node.SerializeToString()) for node in rewritten]
    del graph.node[:]
    graph.node.extend(nodes)
    return len(taken)


def _parameters(prefix: str, weight: Any, bias: Any, heads: int) -> Iterator[Any]:
    """Yields weights by their names in transformers, (out, in) as there, with shapes and constants."""
    width = len(weight)
    columns, biases = np.split(weight, 3, axis=1), np.split(bias, 3)
    for part, matrix, vector in zip(PARTS, columns, biases, strict=True):
        yield numpy_helper.from_array(np.ascontiguousarray(matrix.T), f"{prefix}.{part}.weight")
        if part != "key":
            yield numpy_helper.from_array(vector, f"{prefix}.{part}.bias")
    constants = {
        "heads": np.array([0, heads, width // heads]),
        "by_head": np.array([heads, width // heads, width]),
        "row": np.array([0, 1, width]),
        "scale": np.float32((width // heads) ** -0.5),
        "one": np.float32(1),
        "far": np.float32(FAR),
        "axis": np.array([1]),
    }
    for name, value in constants.items():
        yield numpy_helper.from_array(np.asarray(value), f"{CONSTANT}{prefix}.{name}")


def _attention(prefix: str, tokens: str, first: str, mask: str, out: str) -> list[Any]:
    """Nodes from `tokens` (texts, tokens, width) and the int32 `mask` (texts, tokens) to `out` (texts, 1, width)."""
    steps: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Gather", [tokens, first], "row_in", {"axis": 1}),
        ("Transpose", [".query.weight"], "query_t", {}),
        ("MatMul", ["row_in", "query_t"], "query_0", {}),
        ("Add", ["query_0", ".query.bias"], "query_1", {}),
        ("Mul", ["query_1", "!scale"], "query_2", {}),
        ("Reshape", ["query_2", "!heads"], "query_3", {}),
        ("Transpose", ["query_3"], "query_4", {"perm": [1, 0, 2]}),  # (heads, texts, width of a head)
        ("Reshape", [".key.weight", "!by_head"], "key", {}),
        ("MatMul", ["query_4", "key"], "asked_0", {}),
        ("Transpose", ["asked_0"], "asked", {"perm": [1, 0, 2]}),  # (texts, heads, width)
        ("Transpose", [tokens], "tokens_t", {"perm": [0, 2, 1]}),
        ("MatMul", ["asked", "tokens_t"], "scores_0", {}),
        ("Cast", [mask], "mask_0", {"to": 1}),
        ("Sub", ["!one", "mask_0"], "mask_1", {}),
        ("Mul", ["mask_1", "!far"], "mask_2", {}),
        ("Unsqueeze", ["mask_2", "!axis"], "mask_3", {}),
        ("Add", ["scores_0", "mask_3"], "scores", {}),
        ("Softmax", ["scores"], "shares", {"axis": -1}),
        ("MatMul", ["shares", tokens], "mean_0", {}),
        ("Transpose", ["mean_0"], "mean", {"perm": [1, 0, 2]}),  # (heads, texts, width)
        ("Reshape", [".value.weight", "!by_head"], "value_0", {}),
        ("Transpose", ["value_0"], "value", {"perm": [0, 2, 1]}),
        ("MatMul", ["mean", "value"], "found_0", {}),
        ("Transpose", ["found_0"], "found_1", {"perm": [1, 0, 2]}),
        ("Reshape", ["found_1", "!row"], "found_2", {}),
        ("Add", ["found_2", ".value.bias"], out, {}),
    ]
    made = {name for *_, name, _ in steps}

    def full(name: str) -> str:
        """`.NAME` is a parameter, `!NAME` a constant."""
        if name.startswith("!"):
            return f"{CONSTANT}{prefix}.{name[1:]}"
        if name.startswith("."):
            return prefix + name
        return f"{prefix}/{name}" if name in made and name != out else name

    return [
        helper.make_node(operator, [full(name) for name in inputs], [full(output)], **attributes)
        for operator, inputs, output, attributes in steps
    ]
