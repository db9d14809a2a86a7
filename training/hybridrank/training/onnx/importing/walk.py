"""Walks over a parsed ONNX file: every operator and every tensor, also those of graphs inside operators."""

from collections.abc import Iterator
from typing import Any

from hybridrank.training.onnx.importing.errors import ImportRefused

__all__ = ["nodes", "tensors"]

MAX_DEPTH = 16  # of graphs inside operators


def nodes(model: Any) -> Iterator[Any]:
    """Yields every operator of the graph and of the functions in the file."""
    yield from _nested(model.graph.node)
    for function in model.functions:
        yield from _nested(function.node)


def tensors(model: Any) -> Iterator[Any]:
    """Yields every tensor: weights, and constants in operators."""
    attributes = [each for node in nodes(model) for each in node.attribute]
    graphs = [model.graph, *(each.g for each in attributes if each.HasField("g"))]
    graphs += [graph for each in attributes for graph in each.graphs]
    for graph in graphs:
        yield from graph.initializer
        yield from (part for each in graph.sparse_initializer for part in (each.values, each.indices))
    for each in attributes:
        if each.HasField("t"):
            yield each.t
        yield from each.tensors
        sparse = [*each.sparse_tensors, *([each.sparse_tensor] if each.HasField("sparse_tensor") else [])]
        yield from (part for tensor in sparse for part in (tensor.values, tensor.indices))


def _nested(operators: Any, depth: int = 0) -> Iterator[Any]:
    """Yields the operators, and those of the graphs inside them."""
    if depth > MAX_DEPTH:
        raise ImportRefused(f"holds graphs inside graphs, more than {MAX_DEPTH} deep")
    for node in operators:
        yield node
        for attribute in node.attribute:
            for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _nested(graph.node, depth + 1)
