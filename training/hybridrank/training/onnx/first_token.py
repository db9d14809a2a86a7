"""Computes the part behind the last attention only for a text's first token, in an ONNX file.

A cross-encoder reads its score from the first token after the last layer. Attention mixes tokens; everything after the
last attention works on each token separately, so two thirds of the last layer are computed for unused tokens. The
scores do not change.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

try:
    import onnx
    from onnx import helper, numpy_helper
except ImportError as error:
    raise ImportError(f"rewriting a graph needs {error.name}: pip install 'hybridrank[train]'") from error

__all__ = ["first_token_only"]

FIRST = "first_token"
EACH_TOKEN = frozenset(
    {"Add", "BiasGelu", "FastGelu", "Gelu", "LayerNormalization", "MatMul", "SkipLayerNormalization"}
)  # operators that process every token of (texts, tokens, width) separately


def first_token_only(graph: Any) -> int:
    """Rewrites an ONNX GraphProto in place; returns the number of operators that now process one token.

    0 if no operator takes the first token of another's output.
    """
    constants = _constants(graph)
    users: Mapping[str, list[int]] = defaultdict(list)
    for place, node in enumerate(graph.node):
        for name in node.input:
            users[name].append(place)
    takes = {place for place, node in enumerate(graph.node) if _takes_first(node, constants)}
    returned = {each.name for each in graph.output}
    alone = set(takes)
    for place, node in reversed(list(enumerate(graph.node))):
        used = [user for output in node.output for user in users[output]]
        if _each_token(node, constants) and used and alone.issuperset(used) and returned.isdisjoint(node.output):
            alone.add(place)
    alone -= takes
    rewritten, taken = [], set()
    made = {output for place in alone for output in graph.node[place].output}
    for place, node in enumerate(graph.node):
        if place in alone:
            for number, name in enumerate(node.input):
                if not name or name in made or name in constants:
                    continue
                if name not in taken:
                    rewritten.append(helper.make_node("Gather", [name, FIRST], [f"{name}_{FIRST}"], axis=1))
                    taken.add(name)
                node.input[number] = f"{name}_{FIRST}"
        rewritten.append(node)
    if alone:
        graph.initializer.append(helper.make_tensor(FIRST, onnx.TensorProto.INT64, [1], [0]))
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in rewritten]
    del graph.node[:]
    graph.node.extend(nodes)
    return len(alone)


def _constants(graph: Any) -> dict[str, Any]:
    """Returns name → TensorProto."""
    values = {each.name: each for each in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            (name,) = node.output
            values |= [(name, each.t) for each in node.attribute if each.name == "value"]
    return values


def _takes_first(node: Any, constants: Mapping[str, Any]) -> bool:
    if node.op_type != "Gather" or {each.name: each.i for each in node.attribute}.get("axis") != 1:
        return False
    index = constants.get(node.input[1])
    return index is not None and node.input[0] not in constants and numpy_helper.to_array(index).tolist() == 0


def _each_token(node: Any, constants: Mapping[str, Any]) -> bool:
    """True if tokens stay separate: a product of two activations mixes tokens; a product with weights does not."""
    return node.op_type in EACH_TOKEN and (node.op_type != "MatMul" or node.input[1] in constants)
