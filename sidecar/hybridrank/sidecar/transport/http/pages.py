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

NOT_READY: Responses = {503: {"description": "And why not."}}
NO_KEY: Responses = {401: {"description": "No good key."}}
NO_MODEL: Responses = {404: {"description": "No such model; the message lists those loaded."}}


class ModelEntry(BaseModel):
    """OpenAI's entry of a word that a model answers to; `root` is the model's name and version."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "hybridrank"
    root: str
    kind: str


class ModelEntries(BaseModel):
    """OpenAI's list."""

    object: Literal["list"] = "list"
    data: list[ModelEntry]


class TeiInfo(BaseModel):
    """Text-embeddings-inference's description of a model."""

    model_id: str
    model_sha: str
    model_dtype: str
    model_type: dict[str, dict[str, Any]]
    max_input_length: int
    auto_truncate: bool = True
    version: str


def add_pages(app: FastAPI) -> None:
    """Have the application answer to GET."""
    app.add_api_route("/healthz", healthz, summary="Whether the process runs.")
    app.add_api_route("/readyz", readyz, summary="Whether to send work here.", responses=NOT_READY)
    app.add_api_route("/health", readyz, summary="The same, by the name it has elsewhere.", responses=NOT_READY)
    app.add_api_route(
        "/metrics", metrics, summary="Prometheus' page.", response_class=PlainTextResponse, responses=NO_KEY
    )
    app.add_api_route(
        "/v1/models",
        models,
        summary="Every name that a loaded model answers to: OpenAI.",
        response_model=ModelEntries,
        responses=NO_KEY,
    )
    app.add_api_route(
        "/v1/models/{name:path}",
        model,
        summary="The model that answers to a name: OpenAI.",
        response_model=ModelEntry,
        responses=NO_KEY | NO_MODEL,
    )
    app.add_api_route(
        "/info",
        info,
        summary="The model of /rerank, or the one that `model` names: text-embeddings-inference.",
        response_model=TeiInfo,
        responses=NO_KEY | NO_MODEL,
    )
    app.add_api_route("/docs", docs, include_in_schema=False)


async def healthz() -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


async def readyz(request: Request) -> Response:
    """Answer, with the reasons where work is not to be sent here."""
    face: Face = request.app.state.face
    reasons = face.readiness.reasons or (("draining",) if face.calls.draining else ())
    content = {"status": "not ready", "reasons": reasons} if reasons else {"status": "ready"}
    return Response(answers.to_json(content), 503 if reasons else 200, media_type=JSON)


async def metrics(request: Request) -> Response:
    """Answer, in the format that the caller reads."""
    face: Face = request.app.state.face
    try:
        face.authenticate(request)
    except CallError as error:
        return Response(str(error), status(error).http, media_type="text/plain")
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(face.calls.metrics.registry), media_type=media_type)


async def models(request: Request) -> Response:
    """Answer."""
    face: Face = request.app.state.face
    try:
        face.authenticate(request)
    except CallError as error:
        return _refusal(error, openai_error(error))
    words = face.calls.service.models.words()
    return _page(ModelEntries(data=[_entry(word, loaded) for word, loaded in words.items()]))


async def model(request: Request, name: str) -> Response:
    """Answer."""
    face: Face = request.app.state.face
    try:
        face.authenticate(request)
        return _page(_entry(name, face.calls.service.models.get(name)))
    except CallError as error:
        return _refusal(error, openai_error(error))


async def info(request: Request, model: str = "") -> Response:
    """Answer."""
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
    """Answer."""
    return Response(docs_page(request.app.openapi()), media_type="text/html")


def _entry(word: str, loaded: LoadedModel) -> ModelEntry:
    return ModelEntry(id=word, root=f"{loaded.info.name}:{loaded.info.version}", kind=loaded.info.kind)


def _page(content: BaseModel) -> Response:
    return Response(content.model_dump_json(), media_type=JSON)


def _refusal(error: CallError, content: dict[str, Any]) -> Response:
    return Response(answers.to_json(content), status(error).http, media_type=JSON)
