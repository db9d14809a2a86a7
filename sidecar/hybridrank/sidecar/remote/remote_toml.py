"""The fields of model.toml of a model that is served elsewhere."""

import hashlib
import json
from typing import Annotated, Literal

from pydantic import Field

from hybridrank.model_files.model_folder import BlendWeight, ModelToml, Text

__all__ = ["RemoteEncoderToml", "RemoteRerankerToml", "RemoteToml"]

# Everything but names, limits of a request, and the operator's part.
NOT_IN_DIGEST = {
    *("name", "aliases", "licence", "digest", "remote", "answers_as"),
    *("max_batch", "max_batch_tokens", "blend_weight"),
}


class RemoteToml(ModelToml):
    """The model by its name at the provider, and the limits that the provider documents.

    `answers_as` is the model's name in answers, where that is another one than in requests. `remote` is the endpoint in
    the operator's file; by default it has the model's name. `max_batch` and `max_batch_tokens` are the texts and tokens
    that one request may hold.
    """

    api: Text
    model: Text
    answers_as: str = ""
    remote: str = ""
    max_tokens: Annotated[int, Field(ge=8)]
    max_batch: Annotated[int, Field(ge=1, le=10_000)]
    max_batch_tokens: Annotated[int, Field(ge=8)] = 100_000  # below what Voyage (120,000) and OpenAI (300,000) allow

    @property
    def identity(self) -> str:
        """The SHA-256 over the fields that decide the output, as far as a folder can know it."""
        fields = self.model_dump(exclude=NOT_IN_DIGEST)
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


class RemoteRerankerToml(RemoteToml):
    """A reranker that is served elsewhere."""

    kind: Literal["remote-reranker"] = "remote-reranker"
    blend_weight: BlendWeight | None = None


class RemoteEncoderToml(RemoteToml):
    """An encoder that is served elsewhere: the length of its vectors, and what it is told of queries and documents.

    Input types are those of the API ("search_query"); by default, the API's own for queries and documents. With
    `ask_dimensions` the API is asked for vectors of `dimensions`, which only models with several lengths understand.
    """

    kind: Literal["remote-encoder"] = "remote-encoder"
    dimensions: Annotated[int, Field(ge=1, le=65_536)]
    ask_dimensions: bool = False
    query_prefix: str = ""
    document_prefix: str = ""
    query_input_type: str = ""
    document_input_type: str = ""
