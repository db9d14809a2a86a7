"""The HTTP application: the paths that call a model, and the pages beside them."""

import json
from collections.abc import Mapping

from fastapi import FastAPI, Request, Response
from pydantic.json_schema import models_json_schema

from hybridrank.sidecar.transport.http.calls import JSON, Endpoint, Face
from hybridrank.sidecar.transport.http.endpoints import ENDPOINTS
from hybridrank.sidecar.transport.http.pages import add_pages

SCHEMA = "#/components/schemas/{model}"
ERRORS = {
    400: "A field is missing or wrong; the message names it.",
    401: "No valid key.",
    404: "No such model; the message lists the loaded ones.",
    413: "The body is over the limit.",
    422: "A field that the API does not have; the message suggests the likely one.",
    429: "The queue is full; retry-after says when to try again.",
    500: "A bug, or a model that returned a number that is not finite.",
    503: "Shutting down; send the request to another sidecar.",
    504: "The time of x-timeout-ms is over, or would be.",
}


def make_app(face: Face) -> FastAPI:
    """Returns the application for a server."""
    app = FastAPI(
        title="hybridrank sidecar",
        version="1",
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # its spans contain paths and queries
    )
    # Handlers read it from here: FastAPI never frees a handler, nor what its closure holds.
    app.state.face = face
    for endpoint in ENDPOINTS:
        _add(app, endpoint)

    add_pages(app)
    app.add_exception_handler(404, _not_found)
    app.add_exception_handler(405, _not_allowed)
    _describe_bodies(app)
    return app


async def _not_found(_request: Request, _error: Exception) -> Response:
    return _refusal(404, "there is no such path; GET /docs describes those there are")


async def _not_allowed(_request: Request, error: Exception) -> Response:
    headers = getattr(error, "headers", None) or {}
    return _refusal(405, f"this path takes {headers.get('Allow', 'another method')}; GET /docs describes it", headers)


def _refusal(code: int, problem: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps({"message": problem, "detail": problem}), code, headers, JSON)


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
    """Adds the bodies that `parse` reads to the OpenAPI description, because FastAPI does not know them."""
    used = {endpoint.body for endpoint in ENDPOINTS}
    _, definitions = models_json_schema([(body, "validation") for body in used], ref_template=SCHEMA)
    page = app.openapi()
    page["components"]["schemas"].update(definitions["$defs"])
    app.openapi_schema = json.loads(json.dumps(page))
