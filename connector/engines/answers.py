"""What an engine answered, held against what was asked: anything else becomes an error of ours. Pure."""

import math
from collections.abc import Mapping
from typing import Any

from connector.errors import EngineError

__all__ = ["json_answer", "search_responses"]

_NO_ENGINE = "does not answer as an engine does; is a proxy or a login page before it?"


def json_answer(path: str, body: Any) -> Any:
    """A body that is a JSON object or list, as every answer of an engine is. Raises EngineError."""
    if not isinstance(body, Mapping | list):
        raise EngineError(f"{path}: the address {_NO_ENGINE}", reason="bad_answer")
    return body


def search_responses(answer: Any, count: int) -> list[Mapping[str, Any]]:
    """The responses of an `_msearch` of `count` searches, each well formed or an error in its place.

    Raises EngineError when they cannot be told apart.
    """
    responses = answer.get("responses") if isinstance(answer, Mapping) else None
    if not isinstance(responses, list) or len(responses) > count:
        raise EngineError(f"_msearch: the address {_NO_ENGINE}", reason="bad_answer")
    missing = count - len(responses)
    return [*map(_well_formed, responses), *[_bad("the engine left out its answer")] * missing]


def _well_formed(response: Any) -> Mapping[str, Any]:
    if not isinstance(response, Mapping):
        return _bad("the engine's answer is not an object")
    if "error" in response:
        return _error(response)
    hits = response.get("hits")
    hits = hits.get("hits") if isinstance(hits, Mapping) else None
    if not isinstance(hits, list) or not all(map(_is_hit, hits)):
        return _bad("the engine's answer has hits without an index or a score, or no hits")
    sound = [{**hit, "_source": hit["_source"] or {}} if "_source" in hit else hit for hit in hits]
    return {**response, "hits": {**response["hits"], "hits": sound}, "_shards": _shards(response.get("_shards"))}


def _is_hit(hit: Any) -> bool:
    return (
        isinstance(hit, Mapping)
        and isinstance(hit.get("_index"), str)
        and isinstance(hit.get("_score"), int | float)
        and math.isfinite(hit["_score"])
        and isinstance(hit.get("_source") or {}, Mapping)
    )


def _error(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """With a type and a reason, whatever the engine gave in their place."""
    error = response["error"]
    if not isinstance(error, Mapping):
        error = {"reason": str(error or "no reason given")}
    causes = error.get("root_cause")
    causes = [each for each in causes if isinstance(each, Mapping)] if isinstance(causes, list) else []
    status = str(response.get("status"))
    return {"error": {**error, "root_cause": causes}, "status": int(status) if status.isdecimal() else 0}


def _shards(shards: Any) -> Mapping[str, Any]:
    """Counts and failures of shards; each failure has a reason that is an object."""
    if not isinstance(shards, Mapping):
        return {}
    failures = shards.get("failures")
    failures = [each for each in failures if isinstance(each, Mapping)] if isinstance(failures, list) else []
    named = [{**each, "reason": each["reason"] if isinstance(each.get("reason"), Mapping) else {}} for each in failures]
    return {**shards, "failures": named}


def _bad(reason: str) -> Mapping[str, Any]:
    return {"error": {"type": "bad_answer", "reason": reason}, "status": 0}
