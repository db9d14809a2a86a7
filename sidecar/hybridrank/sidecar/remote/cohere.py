"""Cohere, version 2: https://docs.cohere.com/reference/rerank and https://docs.cohere.com/reference/embed."""

from collections.abc import Iterable, Sequence
from typing import Any

from hybridrank.sidecar.remote.api import Api, Body, Embed, Rerank
from hybridrank.sidecar.remote.remote_toml import RemoteEncoderToml, RemoteRerankerToml

__all__ = ["API", "scores"]


def rerank_body(toml: RemoteRerankerToml, query: str, passages: Sequence[str]) -> Body:
    """Returns the body; without `max_tokens_per_doc`, Cohere would read only 4,096 tokens of a passage."""
    return {"model": toml.model, "query": query, "documents": passages, "max_tokens_per_doc": toml.max_tokens}


def scores(answer: Any) -> Iterable[tuple[Any, Any]]:
    """Returns the scores in [0, 1]."""
    return [(each["index"], each["relevance_score"]) for each in answer["results"]]


def embed_body(toml: RemoteEncoderToml, texts: Sequence[str], input_type: str) -> Body:
    """Returns the body; a text that is longer than estimated loses its end."""
    body = {
        "model": toml.model,
        "texts": texts,
        "input_type": input_type,
        "embedding_types": ["float"],
        "truncate": "END",
    }
    return body | ({"output_dimension": toml.dimensions} if toml.ask_dimensions else {})


def vectors(answer: Any) -> Iterable[tuple[Any, Any]]:
    """Returns the vectors, which are in the order of the texts."""
    return enumerate(answer["embeddings"]["float"])


API = Api(
    rerank=Rerank("/v2/rerank", rerank_body, scores),
    embed=Embed("/v2/embed", embed_body, vectors, input_types=("search_query", "search_document")),
)
