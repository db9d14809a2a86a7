"""The HTTP face: each path decodes, calls the service and encodes. Beside it health, metrics and documentation."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from sidecar.errors import SidecarError, TooLarge, Unauthenticated
from sidecar.readiness import Readiness
from sidecar.transport import http_answers as answers
from sidecar.transport import http_bodies as bodies
from sidecar.transport import http_errors as errors
from sidecar.transport.calls import REQUEST_ID, Call, Calls, request_id
from sidecar.transport.http_docs import docs_page
from sidecar.transport.security_keys import KeyRing
from sidecar.transport.status import retry_after, status

log = structlog.get_logger("sidecar")

JSON = "application/json"
CLIENT_CLOSED_REQUEST = 499  # seen by nobody but a proxy's log
SCHEMA = "#/components/schemas/{model}"


@dataclass(frozen=True)
class Endpoint:
    """One path: its body, what it calls, and the shapes of its answers and errors.

    `method` is the name of the same thing over gRPC; both count as one.
    """

    path: str
    method: str
    summary: str
    body: type[BaseModel]
    answer: Any
    error: Callable[[SidecarError], dict[str, Any]]
    handle: Callable[[Calls, Any, float | None, str], Awaitable[answers.Answer]]


@dataclass(frozen=True)
class Face:
    """What every call needs. With `keys`, all but health and the page about itself wants one."""

    calls: Calls
    readiness: Readiness
    max_body_bytes: int
    keys: KeyRing | None = None

    async def respond(self, endpoint: Endpoint, request: Request) -> Response:
        """One call, from the body to the body; errors in the shape of the endpoint."""
        call = Call("http", endpoint.method, f"POST {endpoint.path}", request_id(request.headers.get(REQUEST_ID)))
        headers = {REQUEST_ID: call.request_id}

        async def work() -> answers.Answer:
            body = bodies.parse(endpoint.body, await self._read(request))
            deadline = bodies.deadline_of(request.headers.get("x-timeout-ms"))
            async with cancelled_when_gone(request):
                return await endpoint.handle(self.calls, body, deadline, call.request_id)

        try:
            self.authenticate(request)
            answer = await self.calls.run(call, work)
        except CallerGone:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except SidecarError as error:
            headers.update(retry_after(error))
            content = answers.to_json(endpoint.error(error))
            return Response(content, status(error).http, headers, JSON)
        # A thousand vectors take a second to print; other calls go on meanwhile.
        return Response(await asyncio.to_thread(answers.to_json, answer.content), 200, headers, JSON)

    def authenticate(self, request: Request) -> None:
        """Unauthenticated without a good key, where one is needed."""
        if self.keys and not self.keys.accepts(request.headers.get("authorization")):
            log.warning("call refused without a good key", method=f"{request.method} {request.url.path}")
            raise Unauthenticated

    async def _read(self, request: Request) -> bytes:
        raw = bytearray()
        async for part in request.stream():
            raw += part
            if len(raw) > self.max_body_bytes:
                raise TooLarge(self.max_body_bytes)
        return bytes(raw)


class CallerGone(asyncio.CancelledError):
    """The connection was closed before the answer."""


@asynccontextmanager
async def cancelled_when_gone(request: Request) -> AsyncIterator[None]:
    """Cancel the block when the caller closes the connection, as gRPC does by itself; it then raises CallerGone.

    The body must have been read.
    """
    task = asyncio.current_task()
    assert task is not None
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if gone:
            raise CallerGone from None
        raise
    finally:
        watcher.cancel()


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
    result = await calls.rerank(request)
    return answers.rerank_answer(body, request, result, request_id=request_id, api_version=api_version)


async def tei(calls: Calls, body: bodies.TeiBody, deadline: float | None, _request_id: str) -> answers.Answer:
    """text-embeddings-inference's."""
    request = bodies.tei_request(body, calls.service.models, deadline)
    return answers.tei_answer(body, request, await calls.rerank(request))


async def embeddings(
    calls: Calls, body: bodies.EmbeddingsBody, deadline: float | None, _request_id: str
) -> answers.Answer:
    """OpenAI's."""
    result = await calls.encode(bodies.encode_request(body, calls.service.models, deadline))
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
ERRORS = {
    400: "A field is missing or wrong; the message names it.",
    401: "No good key.",
    404: "No such model; the message lists those loaded.",
    413: "The body is over the limit.",
    429: "The queue is full; retry-after says when to come back.",
    500: "A bug, or a model that returned a number that is not finite.",
    503: "Shutting down; send it to another sidecar.",
    504: "The time of x-timeout-ms passed, or would.",
}


def make_app(face: Face) -> FastAPI:
    """The application that a server runs."""
    app = FastAPI(title="hybridrank sidecar", version="1", docs_url=None, redoc_url=None)
    # Handlers find it there: FastAPI keeps every handler for ever, and with it whatever a closure would hold.
    app.state.face = face
    for endpoint in ENDPOINTS:
        _add(app, endpoint)

    @app.get("/healthz", summary="Whether the process runs.")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="Whether to send work here.", responses={503: {"description": "And why not."}})
    async def readyz(request: Request) -> Response:
        face: Face = request.app.state.face
        reasons = face.readiness.reasons or (("draining",) if face.calls.draining else ())
        content = {"status": "not ready", "reasons": reasons} if reasons else {"status": "ready"}
        return Response(answers.to_json(content), 503 if reasons else 200, media_type=JSON)

    @app.get(
        "/metrics",
        summary="Prometheus' page.",
        response_class=PlainTextResponse,
        responses={401: {"description": ERRORS[401]}},
    )
    async def metrics(request: Request) -> Response:
        face: Face = request.app.state.face
        try:
            face.authenticate(request)
        except Unauthenticated as error:
            return Response(str(error), status(error).http, media_type="text/plain")
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(face.calls.metrics.registry), media_type=media_type)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return Response(docs_page(request.app.openapi()), media_type="text/html")

    _describe_bodies(app)
    return app


def _add(app: FastAPI, endpoint: Endpoint) -> None:
    async def respond(request: Request) -> Response:
        face: Face = request.app.state.face
        return await face.respond(endpoint, request)

    schema = {"$ref": SCHEMA.format(model=endpoint.body.__name__)}
    app.add_api_route(
        endpoint.path,
        respond,
        methods=["POST"],
        summary=endpoint.summary,
        operation_id=endpoint.path.strip("/").replace("/", "_"),
        response_class=Response,
        responses={
            200: {"model": endpoint.answer, "description": "The answer."},
            **{code: {"description": meaning} for code, meaning in ERRORS.items()},
        },
        openapi_extra={"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}},
    )


def _describe_bodies(app: FastAPI) -> None:
    """Put what `parse` reads, which FastAPI does not see, into its OpenAPI page."""
    used = {endpoint.body for endpoint in ENDPOINTS}
    _, definitions = models_json_schema([(body, "validation") for body in used], ref_template=SCHEMA)
    page = app.openapi()
    page["components"]["schemas"].update(definitions["$defs"])
    app.openapi_schema = json.loads(json.dumps(page))
