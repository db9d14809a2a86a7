"""`_msearch` as values: bodies → request lines, response → one ranking or one error per query. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hybridrank.connector.engines.rest import id_column
from hybridrank.connector.engines.rest.causes import too_many_clauses
from hybridrank.connector.errors import EngineError, EngineTimeout, IndexMissing
from hybridrank.connector.queries.retrievers import nested
from hybridrank.connector.total_hits import total_hits
from hybridrank.connector.types import Candidate, DocumentKey, Retrieved

__all__ = ["holding", "lines", "lost_a_node", "retrieved", "warning", "whole"]

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

_NAMED = 5  # indices with failed shards that a message names: a pattern may match hundreds


def lines(index: str, bodies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns a header and a body for each search, in order."""
    return [line for body in bodies for line in ({"index": index}, body)]


def retrieved(index: str, response: Mapping[str, Any], lacking: str = "") -> Retrieved | EngineError:
    """Reads one element of `responses`: its ranking, or the engine's error.

    Ties are sorted by index and doc_id, because the engine's own order changes with shards and replicas. If an id was
    written to two shards of one index (with another `_routing`), the best hit counts. A search with failed shards keeps
    the hits of the others and reports it in `warning`; `lacking` reports missing parts without a failed shard.
    """
    if "error" in response:
        return _error(index, response)
    hits = sorted(
        [(-hit["_score"], id_column.key(hit), hit) for hit in response["hits"]["hits"]], key=lambda found: found[:2]
    )
    best: dict[DocumentKey, Mapping[str, Any]] = {}
    for _, key, hit in hits:
        best.setdefault(key, hit)
    if not all(key.doc_id for key in best):
        return EngineError(f"index {index!r}: the engine's answer has hits without an id", reason="bad_answer")
    ranking = tuple(
        Candidate(key.doc_id, rank, hit["_score"], hit.get("_source", {}), nested.found(hit), key.index)
        for rank, (key, hit) in enumerate(best.items(), start=1)
    )
    partial = warning(response)
    return Retrieved(
        ranking,
        partial or lacking,
        response.get("aggregations", {}),
        response.get("profile", {}),
        total_hits(response, whole=not partial),
    )


def holding(answers: Iterable[Mapping[str, Any]]) -> set[str]:
    """Returns the concrete indices of the hits of some searches."""
    return {hit["_index"] for answer in answers for hit in answer.get("hits", {}).get("hits", ())}


def lost_a_node(response: Mapping[str, Any]) -> bool:
    """True if shards failed only because a node left during the search: another copy may answer.

    The engine itself uses another copy during ranking, but not when it fetches the documents that the node had ranked.
    If all of these are gone it answers 500, sometimes without a cause.
    """
    if "error" in response:
        causes = [each.get("type") for each in response["error"].get("root_cause", ())]
        return int(response.get("status", 0)) >= 500 and all(cause in _NODE_GONE for cause in causes)
    causes = [each.get("reason", {}).get("type") for each in response.get("_shards", {}).get("failures", ())]
    return bool(causes) and all(cause in _NODE_GONE for cause in causes)


def _error(index: str, response: Mapping[str, Any]) -> EngineError:
    status = int(response.get("status", 0))
    error = response["error"]
    cause = [error, *error.get("root_cause", [])][-1]  # the engine wraps the cause in "all shards failed"
    reason = str(cause.get("type", "engine_error"))
    if reason == "index_not_found_exception":
        return IndexMissing(
            f"there is no index {index!r}; `hybridrank index` creates one", status=status, reason="index_missing"
        )
    said = str(cause.get("reason", reason))
    if problem := too_many_clauses(said):
        return EngineError(f"index {index!r}: {problem}", status=status, reason="too_many_clauses")
    return EngineError(f"index {index!r}: {said}", status=status, reason=reason)


def warning(response: Mapping[str, Any]) -> str:
    """Returns the missing part of an answer: failed or absent shards, or the engine's time limit; empty if complete.

    A shard without a running copy does not count as failed: it is only missing among those that answered.
    """
    shards = response.get("_shards", {})
    if shards.get("failed"):
        failures = shards.get("failures") or [{}]
        cause = failures[0].get("reason", {}).get("reason", "no reason given")
        return f"{shards['failed']} of {shards['total']} shards failed{_of_indices(failures)}: {cause}"
    if absent := shards.get("total", 0) - shards.get("successful", 0):
        return f"{absent} of {shards['total']} shards are not there: no copy of them is up"
    if response.get("timed_out"):
        return str(EngineTimeout("the engine's own time limit cut the search short"))
    return ""


def whole(index: str, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the answer if no shard is missing, because a gap would look like missing values. Raises EngineError."""
    if lack := warning(answer):
        raise EngineError(f"index {index!r}: {lack}", reason="partial")
    return answer


def _of_indices(failures: Sequence[Mapping[str, Any]]) -> str:
    names = sorted({str(each["index"]) for each in failures if each.get("index")})
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f" ({', '.join(names[:_NAMED])}{more})" if names else ""
