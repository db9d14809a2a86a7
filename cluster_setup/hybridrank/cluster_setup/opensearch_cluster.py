"""Reads an OpenSearch cluster for `hybridrank setup` and carries out the steps of a plan."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hybridrank.connector.engines.rest.paths import index_path, url_path
from hybridrank.connector.errors import EngineError
from hybridrank.index_templates.ml_commons import (
    API_KEY,
    EMBEDDINGS_PATH,
    MODEL_GROUP,
    MODELS,
    RERANK_PATH,
    HttpSidecar,
)
from hybridrank.index_templates.ml_settings import (
    PRIVATE_IP,
    TRUSTED,
    ClusterSettings,
    Record,
    trusted_pattern,
    wanted_settings,
)
from hybridrank.index_templates.setup_parts import (
    INGEST_PIPELINE,
    RECORD,
    SEARCH_PIPELINES,
    SEARCH_TEMPLATE,
    TEMPLATE_PREFIX,
)
from hybridrank.index_templates.setup_plan import Found, Kind, Part, Step, reference, resolved

__all__ = ["Cluster", "carry_out", "cluster_settings", "read_cluster"]

Send = Callable[[str, str, Mapping[str, Any] | None], Awaitable[Any]]

_ML = "/_plugins/_ml"
# Paths of objects that are addressed by name: PUT and DELETE go there.
_NAMED: dict[Kind, str] = {
    "record of settings": "/_component_template",
    "ingest pipeline": "/_ingest/pipeline",
    "search pipeline": "/_search/pipeline",
    "search template": "/_scripts",
    "index template": "/_index_template",
}
# For objects that are addressed by id: their path, the path that creates them, and the id's name in the answer.
_WITH_ID: dict[Kind, tuple[str, str, str]] = {
    "connector": (f"{_ML}/connectors", "_create", "connector_id"),
    "model group": (f"{_ML}/model_groups", "_register", "model_group_id"),
    "model": (f"{_ML}/models", "_register", "model_id"),
    "task record": (f"{_ML}/tasks", "", ""),
}
_DEFAULT_PIPELINES = ("index.default_pipeline", "index.search.default_pipeline")
_DEPLOY_TIMEOUT_S = 60.0
_UNAVAILABLE_S = 30.0
_LOOK_EVERY_S = 0.2
_MOST = 1000


@dataclass(frozen=True, slots=True)
class Cluster:
    """The objects of hybridrank in the cluster, and the parts of the cluster that they depend on."""

    found: tuple[Found, ...]
    settings: ClusterSettings
    record: Record


def cluster_settings(cluster: Cluster, sidecar: HttpSidecar, *, private: bool) -> list[Part]:
    """Returns the settings that the cluster still needs to reach the sidecar, and the record of the original ones."""
    urls = [f"{sidecar.url}{path}" for path in (RERANK_PATH, EMBEDDINGS_PATH)]
    change, record = wanted_settings(
        urls,
        trusted_pattern(sidecar.url),
        private=private,
        settings=cluster.settings,
        record=cluster.record,
    )
    settings = [Part("cluster setting", name, {"value": value}) for name, value in change.items()]
    return [Part("record of settings", RECORD, record.body()), *settings] if settings else []


async def read_cluster(send: Send) -> Cluster:
    """Reads all of it; raises EngineError if the cluster refuses or has no ml-commons."""
    answer = await send("GET", "/_cluster/settings?flat_settings=true&include_defaults=true", None)
    settings = _settings(answer)
    template = await _named(send, _NAMED["record of settings"], RECORD)
    record = template["component_templates"][0]["component_template"] if template else {}
    found = [Found("cluster setting", name, {"value": value}, name) for name, value in settings.effective.items()]
    if record:
        found.append(Found("record of settings", RECORD, record, RECORD))
    found += await _ml_parts(send)
    pipelines: dict[Kind, tuple[str, ...]] = {
        "ingest pipeline": (INGEST_PIPELINE,),
        "search pipeline": SEARCH_PIPELINES,
    }
    for kind, names in pipelines.items():
        for name in names:
            bodies = await _named(send, _NAMED[kind], name)
            found += [Found(kind, name, bodies[name], name)] if bodies else []
    if script := await _named(send, _NAMED["search template"], SEARCH_TEMPLATE):
        found.append(Found("search template", SEARCH_TEMPLATE, {"script": script["script"]}, SEARCH_TEMPLATE))
    templates = await _named(send, _NAMED["index template"], f"{TEMPLATE_PREFIX}*")
    for each in templates["index_templates"] if templates else ():
        found.append(Found("index template", each["name"], each["index_template"], each["name"]))
    used = await send("GET", f"/*/_settings/{','.join(_DEFAULT_PIPELINES)}?flat_settings=true", None)
    for index, has in used.items():
        ours = {key: name for key, name in has["settings"].items() if name in (INGEST_PIPELINE, *SEARCH_PIPELINES)}
        found += [Found("default pipeline", index, ours, index)] if ours else []
    meta = record.get("_meta", {}).get("hybridrank", {})
    return Cluster(tuple(found), settings, Record(**meta))


async def carry_out(send: Send, steps: Iterable[Step], found: Iterable[Found], *, api_key: str) -> None:
    """Carries out one step after the other; an EngineError names the step. A later run continues from there."""
    send = _patient(send)
    known = {reference(each.kind, each.name): each.id for each in found}
    known[API_KEY] = api_key or "none"
    for step in steps:
        try:
            given = await _carry_out(send, step, resolved(step.body, known), known)
        except EngineError as error:
            raise EngineError(
                f"{step.action} {step.kind} {step.name}: {error}", status=error.status, reason=error.reason
            ) from error
        known |= {reference(step.kind, step.name): given} if given else {}


async def _carry_out(send: Send, step: Step, body: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """Returns the id, if the server assigned one."""
    if step.kind == "cluster setting":
        await send("PUT", "/_cluster/settings", {"persistent": {step.name: body["value"]}})
    elif step.kind == "default pipeline":
        await send("PUT", index_path(step.name, "_settings"), body)
    elif step.kind == "deployment":
        model = step.id or known[reference("model", step.name)]
        deploy = "_undeploy" if step.action == "remove" else "_deploy"
        await send("POST", _ML + url_path("models", model, deploy), {})
        await _wait(send, model, deployed=step.action != "remove")
    elif step.kind in _NAMED:
        path = _NAMED[step.kind] + url_path(step.name)
        await send("DELETE" if step.action == "remove" else "PUT", path, body or None)
    else:
        path, create, id_key = _WITH_ID[step.kind]
        if step.action == "create":
            return str((await send("POST", f"{path}/{create}", body))[id_key])
        changeable = {key: value for key, value in body.items() if key != "function_name"}
        await send("DELETE" if step.action == "remove" else "PUT", path + url_path(step.id), changeable or None)
    return ""


async def _ml_parts(send: Send) -> list[Found]:
    named = {"terms": {"name.keyword": [*MODELS, MODEL_GROUP]}}
    found: list[Found] = []
    for kind in ("connector", "model group", "model"):
        for hit in await _search(send, f"{_WITH_ID[kind][0]}/_search", named):
            source = hit["_source"] | {"function_name": hit["_source"].get("algorithm", "").lower()}
            found.append(Found(kind, source["name"], source, hit["_id"]))
            if source.get("model_state") == "DEPLOYED":
                found.append(Found("deployment", source["name"], {}, hit["_id"]))
    ours = {"terms": {"model_id": [each.id for each in found if each.kind == "model"]}}
    tasks = await _search(send, f"{_WITH_ID['task record'][0]}/_search", ours)
    return found + [Found("task record", hit["_id"], {}, hit["_id"]) for hit in tasks]


async def _search(send: Send, path: str, query: Mapping[str, Any]) -> list[Any]:
    try:
        return list((await send("POST", path, {"query": query, "size": _MOST}))["hits"]["hits"])
    except EngineError as error:
        if error.status == 404:
            return []  # its index is created with the first connector
        if "no handler found" in str(error):
            raise EngineError(
                "this OpenSearch lacks the ml-commons plugin: install opensearch-ml on its nodes, or use the library",
                status=error.status,
                reason="no_ml_commons",
            ) from error
        raise


def _patient(send: Send) -> Send:
    """Retries while ml-commons is not ready yet.

    503: it creates its indices with the first connector, and reads them before they are ready. 409: it writes to a
    model that is being deployed.
    """

    async def patient(method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        until = time.monotonic() + _UNAVAILABLE_S
        while True:
            try:
                return await send(method, path, body)
            except EngineError as error:
                if error.status not in (409, 503) or time.monotonic() > until:
                    raise
            await asyncio.sleep(_LOOK_EVERY_S)

    return patient


async def _named(send: Send, path: str, name: str) -> Any:
    try:
        return await send("GET", path + url_path(name), None)
    except EngineError as error:
        if error.status == 404:
            return None
        raise


async def _wait(send: Send, model: str, *, deployed: bool) -> None:
    until = time.monotonic() + _DEPLOY_TIMEOUT_S
    while True:
        state = (await send("GET", _ML + url_path("models", model), None))["model_state"]
        if (state == "DEPLOYED") == deployed and state != "DEPLOYING":
            return
        if state == "DEPLOY_FAILED" or time.monotonic() > until:
            raise EngineError(f"the model is {state} after {_DEPLOY_TIMEOUT_S:g} s at most", reason="not_deployed")
        await asyncio.sleep(_LOOK_EVERY_S)


def _settings(answer: Mapping[str, Mapping[str, Any]]) -> ClusterSettings:
    def read(values: Mapping[str, Any]) -> dict[str, Any]:
        read = {TRUSTED: values[TRUSTED]} if TRUSTED in values else {}
        return read | ({PRIVATE_IP: str(values[PRIVATE_IP]).lower() == "true"} if PRIVATE_IP in values else {})

    defaults = {TRUSTED: [], PRIVATE_IP: False} | read(answer["defaults"])
    if hidden := read(answer["transient"]):
        raise EngineError(
            f"{' and '.join(hidden)} set as transient settings, which hide the persistent ones: set them persistently",
            reason="transient_settings",
        )
    persistent = read(answer["persistent"])
    return ClusterSettings(persistent, defaults | persistent)
