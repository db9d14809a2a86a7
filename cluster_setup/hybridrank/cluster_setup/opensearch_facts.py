"""Facts about the connection from an OpenSearch cluster to a sidecar: settings, nodes, model trials, pipelines."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from hybridrank.connector.engines.rest.paths import index_path, url_path
from hybridrank.connector.errors import EngineError
from hybridrank.index_templates import dimensions_of
from hybridrank.index_templates.ml_commons import EMBEDDINGS_PATH, RERANK_PATH
from hybridrank.index_templates.ml_settings import is_private

__all__ = ["Facts", "Remote", "gather"]

Send = Callable[[str, str, Mapping[str, Any] | None], Awaitable[Any]]

_ML = "/_plugins/_ml"
_MOST = 1000
_DEFAULT = "index.search.default_pipeline"


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote model: its connector's `url`, and the result of a trial: `dimensions` of a vector, or the `error`."""

    name: str
    id: str
    url: str
    dimensions: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Answers of a cluster. `settings` are the settings in effect, `private` the hosts with private addresses.

    `index` is "" if none was requested; the next two fields belong to it. `pipelines` are search pipelines, and
    `rerank_failures` has (failed, all) searches of each. `hybrid_queries` counts `hybrid`, `fused` and `enriched`
    queries, if the cluster counts them.
    """

    settings: Mapping[str, Any]
    node_roles: tuple[frozenset[str], ...]
    remotes: tuple[Remote, ...]
    private: frozenset[str] = frozenset()
    index: str = ""
    dimensions: int | None = None
    default_pipeline: str = ""
    pipelines: Mapping[str, Any] = field(default_factory=dict)
    rerank_failures: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    hybrid_queries: Mapping[str, int] = field(default_factory=dict)


async def gather(send: Send, sidecar: str, index: str) -> Facts:
    """Reads the cluster and tries each model whose connector points to `sidecar`; "" tries every remote model."""
    answer = await send("GET", "/_cluster/settings?flat_settings=true&include_defaults=true", None)
    settings = {**answer["defaults"], **answer["persistent"], **answer["transient"]}
    nodes = (await send("GET", "/_nodes?filter_path=nodes.*.roles", None))["nodes"].values()
    remotes = [each async for each in _remotes(send, sidecar)]
    hosts = {urlsplit(url).hostname or "" for url in [*(each.url for each in remotes), sidecar] if url}
    about: dict[str, Any] = {}
    if index:
        mapping = next(iter((await send("GET", index_path(index, "_mapping"), None)).values()))
        defaults = await send("GET", f"{index_path(index, '_settings', _DEFAULT)}?flat_settings=true", None)
        about["dimensions"] = dimensions_of("opensearch", mapping["mappings"].get("properties", {}))
        about["default_pipeline"] = next((each["settings"][_DEFAULT] for each in defaults.values()), "")
    return Facts(
        settings,
        tuple(frozenset(node["roles"]) for node in nodes),
        tuple(remotes),
        frozenset(filter(_is_private_host, hosts)),
        index,
        pipelines=await _maybe(send, "/_search/pipeline") or {},
        rerank_failures=_rerank_failures(await send("GET", "/_nodes/stats/search_pipeline", None)),
        hybrid_queries=_hybrid_queries(await _maybe(send, "/_plugins/_neural/stats")),
        **about,
    )


async def _remotes(send: Send, sidecar: str) -> AsyncIterator[Remote]:
    connectors = {
        hit["_id"]: action["url"]
        for hit in await _search(send, f"{_ML}/connectors/_search")
        for action in hit["_source"].get("actions", ())
        if action["url"].startswith(sidecar) and action["url"].endswith((RERANK_PATH, EMBEDDINGS_PATH))
    }
    for hit in await _search(send, f"{_ML}/models/_search"):
        url = connectors.get(hit["_source"].get("connector_id", ""))
        if url:
            yield await _tried(send, hit["_source"]["name"], hit["_id"], url)


async def _tried(send: Send, name: str, model: str, url: str) -> Remote:
    kind, body = ("text_similarity", {"query_text": "word", "text_docs": ["word"]})
    if url.endswith(EMBEDDINGS_PATH):
        kind, body = ("text_embedding", {"text_docs": ["word"]})
    try:
        answer = await send("POST", _ML + url_path("_predict", kind, model), body)
        output = answer["inference_results"][0]["output"][0]
    except EngineError as error:
        return Remote(name, model, url, error=str(error).partition(": ")[2])
    except (KeyError, IndexError):
        return Remote(name, model, url, error="the answer is not that of a sidecar")
    dimensions = output["shape"][0] if kind == "text_embedding" else None
    return Remote(name, model, url, dimensions)


async def _search(send: Send, path: str) -> list[Any]:
    try:
        return list((await send("POST", path, {"query": {"match_all": {}}, "size": _MOST}))["hits"]["hits"])
    except EngineError as error:
        if error.status == 404 or "no handler found" in str(error):
            return []
        raise


async def _maybe(send: Send, path: str) -> Any:
    """Reads a path that a plugin may not offer or may have disabled."""
    try:
        return await send("GET", path, None)
    except EngineError:
        return None


def _rerank_failures(stats: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    totals: dict[str, tuple[int, int]] = {}
    for node in stats["nodes"].values():
        for name, pipeline in node.get("search_pipeline", {}).get("pipelines", {}).items():
            for processor in pipeline["response_processors"]:
                for each in processor.values():
                    if each["type"] == "rerank":
                        failed, every = totals.get(name, (0, 0))
                        totals[name] = (failed + each["stats"]["failed"], every + each["stats"]["count"])
    return totals


def _hybrid_queries(stats: Mapping[str, Any] | None) -> dict[str, int]:
    """Counted only if plugins.neural_search.stats_enabled is true."""
    if not stats or "all_nodes" not in stats:
        return {}
    query, search = stats["all_nodes"]["query"], stats["all_nodes"]["processors"]["search"]
    fused = ("normalization_processor_executions", "rank_based_normalization_processor_executions")
    return {
        "hybrid": query["hybrid"]["hybrid_query_requests"],
        "fused": sum(search["hybrid"][each] for each in fused),
        "enriched": search["neural_query_enricher_executions"],
    }


def _is_private_host(host: str) -> bool:
    try:
        return is_private({str(found[4][0]).partition("%")[0] for found in socket.getaddrinfo(host, None)})
    except OSError:
        return False  # a host name of the cluster's network that this machine cannot resolve
