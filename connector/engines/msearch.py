"""`_msearch` as values: bodies → request lines, response → one ranking or one error a query. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from connector.engines.columns import doc_id
from connector.errors import EngineError, EngineTimeout, IndexMissing
from connector.queries import nested
from connector.types import Candidate, Retrieved

__all__ = ["lines", "lost_a_node", "retrieved", "warning"]

_NODE_GONE = {
    "connect_transport_exception",
    "illegal_index_shard_state_exception",
    "index_shard_closed_exception",
    "no_shard_available_action_exception",
    "node_closed_exception",
    "node_disconnected_exception",
    "node_not_connected_exception",
    "search_context_missing_exception",
    "send_request_transport_exception",
    "shard_not_found_exception",
}


def lines(index: str, bodies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """A header and a body for each search, in order."""
    return [line for body in bodies for line in ({"index": index}, body)]


def retrieved(index: str, response: Mapping[str, Any]) -> Retrieved | EngineError:
    """One element of `responses`: its ranking, or the error the engine put in its place.

    Equal scores are put in doc_id order, for the engine's own order among them changes with shards and replicas.
    A search that some shards missed keeps the hits of the others and says so in `warning`.
    """
    if "error" in response:
        return _error(index, response)
    hits = sorted([(-hit["_score"], doc_id(hit), hit) for hit in response["hits"]["hits"]], key=lambda found: found[:2])
    ranking = tuple(
        Candidate(name, rank, -score, hit.get("_source", {}), nested.found(hit))
        for rank, (score, name, hit) in enumerate(hits, start=1)
    )
    return Retrieved(ranking, warning(response), response.get("aggregations", {}), response.get("profile", {}))


def lost_a_node(response: Mapping[str, Any]) -> bool:
    """Whether shards failed only because a node went in the middle of the search: another copy may well answer.

    The engine itself turns to another copy while it ranks, and not any more once it fetches what the node had ranked.
    When all that it fetches is gone it says 500, at times without a cause.
    """
    if "error" in response:
        causes = [each.get("type") for each in response["error"].get("root_cause", ())]
        return int(response.get("status", 0)) >= 500 and all(cause in _NODE_GONE for cause in causes)
    causes = [each.get("reason", {}).get("type") for each in response.get("_shards", {}).get("failures", ())]
    return bool(causes) and all(cause in _NODE_GONE for cause in causes)


def _error(index: str, response: Mapping[str, Any]) -> EngineError:
    status = int(response.get("status", 0))
    error = response["error"]
    cause = [error, *error.get("root_cause", [])][-1]  # the engine wraps what went wrong in "all shards failed"
    reason = str(cause.get("type", "engine_error"))
    if reason == "index_not_found_exception":
        return IndexMissing(
            f"there is no index {index!r}; `hybridrank index` creates one", status=status, reason="index_missing"
        )
    return EngineError(f"index {index!r}: {cause.get('reason', reason)}", status=status, reason=reason)


def warning(response: Mapping[str, Any]) -> str:
    """What a search's answer lacks: failed or absent shards, or the engine's own time limit; empty when it is whole.

    A shard of which no copy is up does not count as failed: it is only not among those that answered.
    """
    shards = response.get("_shards", {})
    if shards.get("failed"):
        failures = shards.get("failures") or [{}]
        cause = failures[0].get("reason", {}).get("reason", "no reason given")
        return f"{shards['failed']} of {shards['total']} shards failed: {cause}"
    if absent := shards.get("total", 0) - shards.get("successful", 0):
        return f"{absent} of {shards['total']} shards are not there: no copy of them is up"
    if response.get("timed_out"):
        return str(EngineTimeout("the engine's own time limit cut the search short"))
    return ""
