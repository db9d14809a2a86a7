"""OpenAI's embeddings, which many servers speak: https://platform.openai.com/docs/api-reference/embeddings/create."""

from collections.abc import Iterable, Sequence
from typing import Any

from hybridrank.sidecar.remote.api import Api, Body, Embed
from hybridrank.sidecar.remote.remote_toml import RemoteEncoderToml

__all__ = ["API", "embed_body", "vectors"]


def embed_body(toml: RemoteEncoderToml, texts: Sequence[str], input_type: str) -> Body:  # noqa: ARG001
    """Returns the body."""
    body = {"model": toml.model, "input": texts, "encoding_format": "float"}
    return body | ({"dimensions": toml.dimensions} if toml.ask_dimensions else {})


def vectors(answer: Any) -> Iterable[tuple[Any, Any]]:
    """Returns the vectors."""
    return [(each["index"], each["embedding"]) for each in answer["data"]]


API = Api(embed=Embed("/v1/embeddings", embed_body, vectors, takes_input_types=False))
