"""vLLM: Cohere's and Jina's rerank and OpenAI's embeddings, https://docs.vllm.ai/en/stable/serving/openai_compatible_server."""

from collections.abc import Sequence

from hybridrank.sidecar.remote import cohere, openai
from hybridrank.sidecar.remote.api import Api, Body, Embed, Rerank
from hybridrank.sidecar.remote.remote_toml import RemoteEncoderToml, RemoteRerankerToml

__all__ = ["API"]

TRUNCATE = {"truncate_prompt_tokens": -1}  # to the model's own length; without it, longer texts are refused


def rerank_body(toml: RemoteRerankerToml, query: str, passages: Sequence[str]) -> Body:
    """Returns the body."""
    return {"model": toml.model, "query": query, "documents": passages, **TRUNCATE}


def embed_body(toml: RemoteEncoderToml, texts: Sequence[str], input_type: str) -> Body:
    """Returns the body."""
    return {**openai.embed_body(toml, texts, input_type), **TRUNCATE}


API = Api(
    rerank=Rerank("/v1/rerank", rerank_body, cohere.scores),
    embed=Embed("/v1/embeddings", embed_body, openai.vectors, takes_input_types=False),
)
