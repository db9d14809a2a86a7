"""The paths of the HTTP face: whose API each speaks, and what it calls."""

import asyncio

from sidecar.transport import http_answers as answers
from sidecar.transport import http_bodies as bodies
from sidecar.transport import http_errors as errors
from sidecar.transport.calls import Calls
from sidecar.transport.http_calls import Endpoint

# What each API calls the texts of the service, in errors.
RERANK_FIELDS = {"candidates": "documents"}
TEI_FIELDS = {"candidates": "texts"}
EMBEDDINGS_FIELDS = {"texts": "input"}


async def cohere_v1(calls: Calls, body: bodies.RerankBody, deadline: float | None, request_id: str) -> answers.Answer:
    """Cohere's version 1, Jina's and Voyage's."""
    return await _rerank(calls, body, deadline, request_id, "1")


async def cohere_v2(calls: Calls, body: bodies.RerankBody, deadline: float | None, request_id: str) -> answers.Answer:
    """Cohere's version 2."""
    return await _rerank(calls, body, deadline, request_id, "2")


async def _rerank(
    calls: Calls, body: bodies.RerankBody, deadline: float | None, request_id: str, api_version: str
) -> answers.Answer:
    request = bodies.rerank_request(body, calls.service.models, deadline)
    with errors.fields_named(RERANK_FIELDS):
        result = await calls.rerank(request)
    return answers.rerank_answer(body, request, result, request_id=request_id, api_version=api_version)


async def tei(calls: Calls, body: bodies.TeiBody, deadline: float | None, _request_id: str) -> answers.Answer:
    """text-embeddings-inference's."""
    request = bodies.tei_request(body, calls.service.models, deadline)
    with errors.fields_named(TEI_FIELDS):
        return answers.tei_answer(body, request, await calls.rerank(request))


async def embeddings(
    calls: Calls, body: bodies.EmbeddingsBody, deadline: float | None, _request_id: str
) -> answers.Answer:
    """OpenAI's."""
    request = bodies.encode_request(body, calls.service.models, deadline)
    with errors.fields_named(EMBEDDINGS_FIELDS):
        result = await calls.encode(request)
    return await asyncio.to_thread(answers.embeddings_answer, body, result)


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
        "Turn texts into vectors: OpenAI.",
        bodies.EmbeddingsBody,
        answers.EmbeddingsAnswer,
        errors.openai_error,
        embeddings,
    ),
)
