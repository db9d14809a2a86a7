"""The HTTP face: the paths that call, and beside them health, metrics and the page about itself."""

import json

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client.exposition import choose_encoder
from pydantic.json_schema import models_json_schema

from sidecar.errors import Unauthenticated
from sidecar.transport import http_answers as answers
from sidecar.transport.http_calls import JSON, Endpoint, Face
from sidecar.transport.http_docs import docs_page
from sidecar.transport.http_endpoints import ENDPOINTS
from sidecar.transport.status import status

SCHEMA = "#/components/schemas/{model}"
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
    app = FastAPI(
        title="hybridrank sidecar",
        version="1",
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # its spans have paths and queries in them
    )
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
