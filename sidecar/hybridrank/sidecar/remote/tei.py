"""text-embeddings-inference: https://huggingface.github.io/text-embeddings-inference/; a server has one model."""

from collections.abc import Iterable, Sequence
from typing import Any

from hybridrank.sidecar.remote.api import Api, Body, Embed, Rerank
from hybridrank.sidecar.remote.remote_toml import RemoteEncoderToml, RemoteRerankerToml

__all__ = ["API"]


def rerank_body(toml: RemoteRerankerToml, query: str, passages: Sequence[str]) -> Body:  # noqa: ARG001
    """Returns the body, which asks for logits; a pair that is longer than estimated loses its end."""
    return {"query": query, "texts": passages, "raw_scores": True, "return_text": False, "truncate": True}


def scores(answer: Any) -> Iterable[tuple[Any, Any]]:
    """Returns the logits."""
    return [(each["index"], each["score"]) for each in answer]


def embed_body(toml: RemoteEncoderToml, texts: Sequence[str], input_type: str) -> Body:
    """Returns the body; an input type is the name of one of the model's prompts."""
    body = {"inputs": texts, "normalize": True, "truncate": True}
    body |= {"prompt_name": input_type} if input_type else {}
    return body | ({"dimensions": toml.dimensions} if toml.ask_dimensions else {})


def vectors(answer: Any) -> Iterable[tuple[Any, Any]]:
    """Returns the vectors, which are in the order of the texts."""
    return enumerate(answer)


API = Api(rerank=Rerank("/rerank", rerank_body, scores), embed=Embed("/embed", embed_body, vectors))
