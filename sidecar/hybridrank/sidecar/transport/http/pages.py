"""Answers to HTTP GET: health, metrics, the loaded models, the docs page."""

from importlib.metadata import version
from typing import Any, Literal, TypeAlias

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel

from hybridrank.sidecar.errors import CallError
from hybridrank.sidecar.rerankers.kind import LoadedModel
from hybridrank.sidecar.transport.http import answers
from hybridrank.sidecar.transport.http.bodies import first_reranker
from hybridrank.sidecar.transport.http.calls import JSON, Face
from hybridrank.sidecar.transport.http.docs import docs_page
from hybridrank.sidecar.transport.http.errors import openai_error, tei_error
from hybridrank.sidecar.transport.status import status

Responses: TypeAlias = dict[int | str, dict[str, Any]]

NOT_READY: Responses = {503: {"description": "Not ready, with the reasons."}}
NO_KEY: Responses = {401: {"description": "No valid key."}}
NO_MODEL: Responses = {404: {"description": "No such model; the message lists the loaded ones."}}


class ModelEntry(BaseModel):
    """An entry of OpenAI for a name of a model; `root` is the name and version of the model."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "hybridrank"
    root: str
    kind: str


class ModelEntries(BaseModel):
    """The list of OpenAI."""

    object: Literal["list"] = "list"
    data: list[ModelEntry]


class TeiInfo(BaseModel):
    """The description of a model for text-embeddings-inference."""

    model_id: str
    model_sha: str
    model_dtype: str
    model_type: dict[str, dict[str, Any]]
    max_input_length: int
    auto_truncate: bool = True
    version: str


def add_pages(app: FastAPI) -> None:
    """Adds the paths for GET to the application."""
    app.add_api_route("/healthz", healthz, summary="Liveness: the process runs.")
    app.add_api_route("/readyz", readyz, summary="Readiness: send work here.", responses=NOT_READY)
    app.add_api_route("/health", readyz, summary="Same as /readyz, by the name elsewhere.", responses=NOT_READY)
    app.add_api_route(
        "/metrics", metrics, summary="Metrics for Prometheus.", response_class=PlainTextResponse, responses=NO_KEY
    )
    app.add_api_route(
        "/v1/models",
        models,
        summary="Every name of a loaded model: OpenAI.",
        response_model=ModelEntries,
        responses=NO_KEY,
    )
    app.add_api_route(
        "/v1/models/{name:path}",
        model,
        summary="The model with a name: OpenAI.",
        response_model=ModelEntry,
        responses=NO_KEY | NO_MODEL,
    )
    app.add_api_route(
        "/info",
        info,
        summary="The model of /rerank, or the one named by `model`: text-embeddings-inference.",
        response_model=TeiInfo,
        responses=NO_KEY | NO_MODEL,
    )
    app.add_api_route("/docs", docs, include_in_schema=False)


async def healthz() -> dict[str, str]:
    """Returns the liveness."""
    return {"status": "ok"}


async def readyz(request: Request) -> Response:
    """Returns the readiness, with the reasons if not ready."""
    face: Face = request.app.state.face
    reasons = face.readiness.reasons or (("draining",) if face.calls.draining else ())
    content: dict[str, Any] = {"status": "not ready", "reasons": reasons} if reasons else {"status": "ready"}
    models = face.calls.service.models
    if down := [model.info.name for model in models if model.remote and model.remote.down]:
        content["remotes_down"] = down  # their calls fail; other models serve
    return Response(answers.to_json(content), 503 if reasons else 200, media_type=JSON)


async def metrics(request: Request) -> Response:
    """Returns the metrics in the format that the caller accepts."""
    face: Face = request.app.state.face
    try:
        face.authenticate(request)
    except CallError as error:
        return Response(str(error), status(error).http, media_type="text/plain")
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(face.calls.metrics.registry), media_type=media_type)


async def models(request: Request) -> Response:
    """Returns every name of a loaded model."""
    face: Face = request.app.state.face
    try:
        face.authenticate(request)
    except CallError as error:
        return _refusal(error, openai_error(error))
    words = face.calls.service.models.words()
    return _page(ModelEntries(data=[_entry(word, loaded) for word, loaded in words.items()]))


async def model(request: Request, name: str) -> Response:
    """Returns the model with this name."""
    face: Face = request.app.state.face
    try:
        face.authenticate(request)
        return _page(_entry(name, face.calls.service.models.get(name)))
    except CallError as error:
        return _refusal(error, openai_error(error))


async def info(request: Request, model: str = "") -> Response:
    """Returns the description of a model."""
    face: Face = request.app.state.face
    loaded = face.calls.service.models
    try:
        face.authenticate(request)
        found = loaded.get(model or first_reranker(loaded))
    except CallError as error:
        return _refusal(error, tei_error(error))
    kind: dict[str, dict[str, Any]] = {"embedding": {}} if found.encoder else {"reranker": {}}
    return _page(
        TeiInfo(
            model_id=found.info.name,
            model_sha=found.info.digest,
            model_dtype=found.info.precision,
            model_type=kind,
            max_input_length=found.info.max_tokens,
            version=version("hybridrank"),
        )
    )


async def docs(request: Request) -> Response:
    """Returns the page that documents the paths."""
    return Response(docs_page(request.app.openapi()), media_type="text/html")


def _entry(word: str, loaded: LoadedModel) -> ModelEntry:
    return ModelEntry(id=word, root=f"{loaded.info.name}:{loaded.info.version}", kind=loaded.info.kind)


def _page(content: BaseModel) -> Response:
    return Response(content.model_dump_json(), media_type=JSON)


def _refusal(error: CallError, content: dict[str, Any]) -> Response:
    return Response(answers.to_json(content), status(error).http, media_type=JSON)
