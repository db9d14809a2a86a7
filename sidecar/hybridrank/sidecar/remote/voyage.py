"""Voyage: https://docs.voyageai.com/reference/reranker-api and https://docs.voyageai.com/reference/embeddings-api."""

from collections.abc import Iterable, Sequence
from typing import Any

from hybridrank.sidecar.remote import openai
from hybridrank.sidecar.remote.api import Api, Body, Embed, Rerank
from hybridrank.sidecar.remote.remote_toml import RemoteEncoderToml, RemoteRerankerToml

__all__ = ["API"]


def rerank_body(toml: RemoteRerankerToml, query: str, passages: Sequence[str]) -> Body:
    """Returns the body; a pair that is longer than estimated loses its end."""
    return {"model": toml.model, "query": query, "documents": passages, "truncation": True}


def scores(answer: Any) -> Iterable[tuple[Any, Any]]:
    """Returns the scores in [0, 1]."""
    return [(each["index"], each["relevance_score"]) for each in answer["data"]]


def embed_body(toml: RemoteEncoderToml, texts: Sequence[str], input_type: str) -> Body:
    """Returns the body."""
    body = {"model": toml.model, "input": texts, "input_type": input_type, "truncation": True}
    return body | ({"output_dimension": toml.dimensions} if toml.ask_dimensions else {})


API = Api(
    rerank=Rerank("/v1/rerank", rerank_body, scores),
    embed=Embed("/v1/embeddings", embed_body, openai.vectors, input_types=("query", "document")),
)
