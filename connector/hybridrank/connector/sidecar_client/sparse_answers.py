"""Sparse vectors in a reply of the sidecar, checked against what engines accept. Pure."""

from typing import Any

from hybridrank.common.counts import counted
from hybridrank.connector.errors import BadScores, InvalidRequest
from hybridrank.connector.types import Encoding
from hybridrank.index_templates import EncoderNote

__all__ = ["LARGEST", "sparse_vectors"]

LARGEST = 64.0
"""The largest weight that engines accept in a query."""


def sparse_vectors(response: Any, count: int, made_by: EncoderNote | None) -> tuple[Encoding, ...]:
    """Returns the vectors, each token → weight, as made by that model.

    Raises InvalidRequest if the model makes other vectors, BadScores for weights that no engine accepts.
    """
    found, model = response.embeddings, response.model
    if len(found) != count:
        raise BadScores(f"{counted(len(found), 'sparse vector')} for {counted(count, 'text')}")
    if not all(each.HasField("sparse") for each in found):
        raise InvalidRequest(f"{model.name} is a {model.kind}, which makes no sparse vectors; name a splade model")
    vectors = [dict(zip(each.sparse.tokens, each.sparse.weights, strict=False)) for each in found]
    for vector, each in zip(vectors, found, strict=True):
        if len(each.sparse.tokens) != len(each.sparse.weights) or len(vector) != len(each.sparse.tokens):
            raise BadScores("tokens of a sparse vector without a weight each, or twice")
        if not all(0 < weight <= LARGEST for weight in vector.values()):
            raise BadScores(f"weights of a sparse vector that are not above 0 and at most {LARGEST:g}")
    pairs = zip(vectors, found, strict=True)
    return tuple(Encoding((), each.truncated, encoder=made_by, sparse=vector) for vector, each in pairs)
