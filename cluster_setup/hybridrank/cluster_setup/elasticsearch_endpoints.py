"""Inference endpoints of Elasticsearch that call a sidecar."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from hybridrank.connector.errors import EngineError
from hybridrank.index_templates.inference import ENCODER, RERANKER
from hybridrank.index_templates.ml_commons import API_KEY
from hybridrank.index_templates.setup_plan import Found, Step, resolved

__all__ = ["carry_out", "found_endpoints"]

Send = Callable[[str, str, Mapping[str, Any] | None], Awaitable[Any]]

_ENDPOINTS = (f"rerank/{RERANKER}", f"text_embedding/{ENCODER}")


async def found_endpoints(send: Send, wanted: Mapping[str, Any]) -> list[Found]:
    """Returns the endpoints of hybridrank that the cluster has."""
    found = []
    for name in _ENDPOINTS:
        try:
            (endpoint,) = (await send("GET", f"/_inference/{name}", None))["endpoints"]
        except EngineError as error:
            if error.status != 404:
                raise
            continue
        if endpoint["service"] == "cohere" and name in wanted:  # some versions do not return its url
            endpoint = {**wanted[name], **endpoint}
            endpoint["service_settings"] = {**wanted[name]["service_settings"], **endpoint["service_settings"]}
        found.append(Found("inference endpoint", name, endpoint, name))
    return found


async def carry_out(send: Send, step: Step, api_key: str) -> None:
    """Makes one change in the cluster; a changed endpoint is deleted and created again.

    Elasticsearch cannot change the address or the request of an endpoint. It refuses to delete one that fields or
    pipelines use, and to create one whose service does not answer.
    """
    try:
        if step.action != "create":
            await send("DELETE", f"/_inference/{step.name}", None)
        if step.action != "remove":
            await send("PUT", f"/_inference/{step.name}", resolved(step.body, {API_KEY: api_key or "none"}))
    except EngineError as error:
        raise EngineError(
            f"{step.action} {step.kind} {step.name}: {error}", status=error.status, reason=error.reason
        ) from error
