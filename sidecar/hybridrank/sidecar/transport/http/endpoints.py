"""The paths that call a model: the API of each, and its handler."""

import asyncio
from functools import partial

from hybridrank.sidecar.transport.calls import Calls
from hybridrank.sidecar.transport.http import answers, bodies, embed_answers, embed_bodies, errors
from hybridrank.sidecar.transport.http.calls import Endpoint

# The name of the texts in errors, for each API.
RERANK_FIELDS = {"candidates": "documents"}
TEI_FIELDS = {"candidates": "texts"}
EMBEDDINGS_FIELDS = {"texts": "input"}
TEI_EMBED_FIELDS = {"texts": "inputs"}


async def cohere_v1(calls: Calls, body: bodies.RerankBody, deadline: float | None, request_id: str) -> answers.Answer:
    """Handles Cohere version 1, Jina and Voyage."""
    return await _rerank(calls, body, deadline, request_id, "1")


async def cohere_v2(calls: Calls, body: bodies.RerankBody, deadline: float | None, request_id: str) -> answers.Answer:
    """Handles Cohere version 2."""
    return await _rerank(calls, body, deadline, request_id, "2")


async def _rerank(
    calls: Calls, body: bodies.RerankBody, deadline: float | None, request_id: str, api_version: str
) -> answers.Answer:
    request = bodies.rerank_request(body, calls.service.models, deadline)
    with errors.fields_named(RERANK_FIELDS):
        result = await calls.rerank(request)
    return answers.rerank_answer(body, request, result, request_id=request_id, api_version=api_version)


async def tei(calls: Calls, body: bodies.TeiBody, deadline: float | None, _request_id: str) -> answers.Answer:
    """Handles text-embeddings-inference."""
    request = bodies.tei_request(body, calls.service.models, deadline)
    with errors.fields_named(TEI_FIELDS):
        return answers.tei_answer(body, request, await calls.rerank(request))


async def embeddings(
    calls: Calls, body: embed_bodies.EmbeddingsBody, deadline: float | None, _request_id: str
) -> answers.Answer:
    """Handles OpenAI, Jina and Voyage."""
    request = embed_bodies.embeddings_request(body, calls.service.models, deadline)
    with errors.fields_named(EMBEDDINGS_FIELDS):
        result = await calls.encode(request)
    return await asyncio.to_thread(embed_answers.embeddings_answer, body, result)


async def cohere_embed_v1(
    calls: Calls, body: embed_bodies.CohereEmbedBody, deadline: float | None, request_id: str
) -> answers.Answer:
    """Handles Cohere version 1."""
    return await _cohere_embed(calls, body, deadline, request_id, "1")


async def cohere_embed_v2(
    calls: Calls, body: embed_bodies.CohereEmbedBody, deadline: float | None, request_id: str
) -> answers.Answer:
    """Handles Cohere version 2."""
    return await _cohere_embed(calls, body, deadline, request_id, "2")


async def _cohere_embed(
    calls: Calls, body: embed_bodies.CohereEmbedBody, deadline: float | None, request_id: str, api_version: str
) -> answers.Answer:
    request = embed_bodies.cohere_embed_request(body, calls.service.models, deadline)
    result = await calls.encode(request)
    answer = partial(embed_answers.cohere_embed_answer, request_id=request_id, api_version=api_version)
    return await asyncio.to_thread(answer, body, request, result)


async def tei_embed(
    calls: Calls, body: embed_bodies.TeiEmbedBody, deadline: float | None, _request_id: str
) -> answers.Answer:
    """Handles text-embeddings-inference."""
    request = embed_bodies.tei_embed_request(body, calls.service.models, deadline)
    with errors.fields_named(TEI_EMBED_FIELDS):
        result = await calls.encode(request)
    return await asyncio.to_thread(embed_answers.tei_embed_answer, result)


async def tei_sparse(
    calls: Calls, body: embed_bodies.TeiSparseBody, deadline: float | None, _request_id: str
) -> answers.Answer:
    """Handles text-embeddings-inference."""
    request = embed_bodies.tei_sparse_request(body, calls.service.models, deadline)
    with errors.fields_named(TEI_EMBED_FIELDS):
        result = await calls.encode(request)
    return await asyncio.to_thread(embed_answers.tei_sparse_answer, result)


Reranked = answers.RerankAnswer | answers.VoyageAnswer
ENDPOINTS = (
    Endpoint(
        "/v1/rerank",
        "Rerank",
        "Score documents: Cohere version 1, Jina, and Voyage when the body has top_k or truncation.",
        bodies.RerankBody,
        Reranked,
        errors.rerank_error,
        cohere_v1,
    ),
    Endpoint(
        "/v2/rerank",
        "Rerank",
        "Score documents: Cohere version 2.",
        bodies.RerankBody,
        Reranked,
        errors.rerank_error,
        cohere_v2,
    ),
    Endpoint(
        "/rerank",
        "Rerank",
        "Score texts: text-embeddings-inference.",
        bodies.TeiBody,
        list[answers.TeiResult],
        errors.tei_error,
        tei,
    ),
    Endpoint(
        "/v1/embeddings",
        "Encode",
        "Turn texts into vectors: OpenAI, Jina and Voyage.",
        embed_bodies.EmbeddingsBody,
        embed_answers.EmbeddingsAnswer,
        errors.openai_error,
        embeddings,
        unknown_field=400,
    ),
    Endpoint(
        "/v1/embed",
        "Encode",
        "Turn texts into vectors: Cohere version 1.",
        embed_bodies.CohereEmbedBody,
        embed_answers.CohereEmbedAnswer,
        errors.rerank_error,
        cohere_embed_v1,
    ),
    Endpoint(
        "/v2/embed",
        "Encode",
        "Turn texts into vectors: Cohere version 2.",
        embed_bodies.CohereEmbedBody,
        embed_answers.CohereEmbedAnswer,
        errors.rerank_error,
        cohere_embed_v2,
    ),
    Endpoint(
        "/embed",
        "Encode",
        "Turn texts into vectors: text-embeddings-inference.",
        embed_bodies.TeiEmbedBody,
        embed_answers.TeiEmbedAnswer,
        errors.tei_error,
        tei_embed,
    ),
    Endpoint(
        "/embed_sparse",
        "Encode",
        "Turn texts into sparse vectors: text-embeddings-inference.",
        embed_bodies.TeiSparseBody,
        embed_answers.TeiSparseAnswer,
        errors.tei_error,
        tei_sparse,
    ),
)
