"""HTTP answers to requests for vectors, in the shape of each API."""

import struct
from base64 import b64encode
from typing import Any, Literal

from pydantic import BaseModel, Field

from hybridrank.sidecar.transport.http.answers import Answer, Detail, Usage, detail, usage
from hybridrank.sidecar.transport.http.embed_bodies import CohereEmbedBody, EmbeddingsBody
from hybridrank.sidecar.types import EncodeRequest, EncodeResult

__all__ = [
    "CohereEmbedAnswer",
    "EmbeddingsAnswer",
    "TeiEmbedAnswer",
    "TeiSparseAnswer",
    "cohere_embed_answer",
    "embeddings_answer",
    "tei_embed_answer",
    "tei_sparse_answer",
]

VECTOR_DIGITS = 9  # enough for every float32


class Vector(BaseModel):
    """An embedding of unit length: numbers, or base64 of little-endian 32-bit floats."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsAnswer(BaseModel):
    """The answer for OpenAI, in the order of the request."""

    object: Literal["list"]
    data: list[Vector]
    model: str
    usage: Usage
    details: list[Detail]


class CohereEmbedAnswer(BaseModel):
    """The answer for Cohere, in the order of the request; version 1 without embedding_types gets a plain list."""

    id: str
    embeddings: dict[str, list[list[float]] | list[str]] | list[list[float]]
    texts: list[str]
    meta: dict[str, Any]
    response_type: Literal["embeddings_by_type", "embeddings_floats"]
    details: list[Detail] = Field(description="One for each text, in the same order.")


TeiEmbedAnswer = list[list[float]]


class SparseValue(BaseModel):
    """The weight of a token, by its id in the vocabulary; `token` is beyond that API."""

    index: int
    value: float
    token: str


TeiSparseAnswer = list[list[SparseValue]]


def embeddings_answer(body: EmbeddingsBody, result: EncodeResult) -> Answer:
    """Returns the answer for OpenAI."""
    encode = _base64 if body.is_base64 else _numbers
    data = [
        {"object": "embedding", "index": index, "embedding": encode(embedding.vector)}
        for index, embedding in enumerate(result.embeddings)
    ]
    rest = {"model": result.model.name, "usage": usage(result.tokens), "details": _details(result)}
    return Answer({"object": "list", "data": data} | rest)


def cohere_embed_answer(
    body: CohereEmbedBody, request: EncodeRequest, result: EncodeResult, *, request_id: str, api_version: str
) -> Answer:
    """Returns the answer for either version of Cohere."""
    encoders = {"float": _numbers, "base64": _base64}
    wanted = dict.fromkeys(body.embedding_types)
    vectors = {name: [encoders[name](each.vector) for each in result.embeddings] for name in wanted}
    is_plain = api_version == "1" and "embedding_types" not in body.model_fields_set
    return Answer(
        {
            "id": request_id,
            "embeddings": vectors["float"] if is_plain else vectors,
            "texts": list(request.texts),
            "meta": {"api_version": {"version": api_version}, "billed_units": {"input_tokens": result.tokens}},
            "response_type": "embeddings_floats" if is_plain else "embeddings_by_type",
            "details": _details(result),
        }
    )


def tei_embed_answer(result: EncodeResult) -> Answer:
    """Returns the array of vectors for text-embeddings-inference."""
    return Answer([_numbers(embedding.vector) for embedding in result.embeddings])


def tei_sparse_answer(result: EncodeResult) -> Answer:
    """Returns, for each text, the array of its tokens with their weights, for text-embeddings-inference."""
    vectors = [each.sparse for each in result.embeddings if each.sparse]
    return Answer(
        [
            [
                {"index": token_id, "value": value, "token": token}
                for token_id, token, value in zip(each.token_ids, each.tokens, _numbers(each.weights), strict=True)
            ]
            for each in vectors
        ]
    )


def _details(result: EncodeResult) -> list[dict[str, Any]]:
    return [detail(index, embedding.truncated) for index, embedding in enumerate(result.embeddings)]


def _numbers(vector: tuple[float, ...]) -> list[float]:
    return [float(f"{value:.{VECTOR_DIGITS}g}") for value in vector]


def _base64(vector: tuple[float, ...]) -> str:
    return b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
