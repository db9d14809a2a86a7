"""Validates an engine's answer against the request: anything unexpected becomes an error of ours. Pure."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hybridrank.connector.errors import EngineError
from hybridrank.index_templates import ID_FIELD

__all__ = ["bad_answer", "by_index", "json_answer", "reading", "search_answer", "search_responses"]

_MAX_SCORE = 3.4028235e38  # scores are 32-bit numbers


def bad_answer(path: str) -> EngineError:
    """Returns the error for an answer that no engine gives."""
    said = "the address does not answer as an engine does; is a proxy or a login page before it?"
    return EngineError(f"{path}: {said}", reason="bad_answer")


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Raises EngineError if a part of an answer is missing or has another type.

    For answers with many parts, such as mappings, which are checked only by reading them.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise bad_answer(path) from error


def json_answer(path: str, body: Any) -> Any:
    """Returns a body that is a JSON object or list, as every answer of an engine is. Raises EngineError."""
    if not isinstance(body, Mapping | list):
        raise bad_answer(path)
    return body


def by_index(path: str, answer: Any, *parts: str) -> dict[str, Any]:
    """Returns the part of the answer for each index, by name; each has these parts. Raises EngineError."""
    each = list(answer.values()) if isinstance(answer, Mapping) else [None]
    if not all(isinstance(told, Mapping) and all(isinstance(told.get(p), Mapping) for p in parts) for told in each):
        raise bad_answer(path)
    return dict(answer)


def search_answer(path: str, answer: Any, *, scored: bool) -> Mapping[str, Any]:
    """Returns a well-formed answer to one search; hits of a ranking search are `scored`. Raises EngineError."""
    found = _well_formed(answer, scored=scored)
    if "error" in found:
        raise EngineError(f"{path}: {found['error'].get('reason')}", reason="bad_answer")
    return found


def search_responses(answer: Any, count: int) -> list[Mapping[str, Any]]:
    """Returns the responses of an `_msearch` of `count` searches, each well-formed or replaced by an error.

    Raises EngineError if they cannot be separated.
    """
    responses = answer.get("responses") if isinstance(answer, Mapping) else None
    if not isinstance(responses, list) or len(responses) > count:
        raise bad_answer("_msearch")
    missing = count - len(responses)
    return [*map(_well_formed, responses), *[_bad("the engine left out its answer")] * missing]


def _well_formed(response: Any, *, scored: bool = True) -> Mapping[str, Any]:
    if not isinstance(response, dict):
        return _bad("the engine's answer is not an object")
    if "error" in response:
        return _error(response)
    hits = _hits(response)
    if hits is None or not all(_is_hit(hit, scored=scored) for hit in hits):
        return _bad("the engine's answer has hits without an index, an id or a score, or no hits")
    if not all(isinstance(response.get(part) or {}, dict) for part in ("aggregations", "profile")):
        return _bad("the engine's answer has aggregations or a profile that are not objects")
    sound = [{**hit, "_source": hit["_source"] or {}} if "_source" in hit else hit for hit in hits]
    parts = {part: response[part] or {} for part in ("aggregations", "profile") if part in response}
    whole = {**response["hits"], "hits": sound}
    return {**response, **parts, "hits": whole, "_shards": _shards(response.get("_shards"))}


def _hits(response: Any) -> list[Any] | None:
    found = response.get("hits") if isinstance(response, dict) else None
    hits = found.get("hits") if isinstance(found, dict) else None
    return hits if isinstance(hits, list) else None


def _is_hit(hit: Any, *, scored: bool) -> bool:
    return (
        isinstance(hit, dict)
        and isinstance(hit.get("_index"), str)
        and isinstance(hit.get("_source") or {}, dict)
        and _has_id(hit)
        and (not scored or _is_score(hit.get("_score")))
        and ("highlight" not in hit or _holds(hit["highlight"], _is_fragments))
        and ("inner_hits" not in hit or _holds(hit["inner_hits"], _is_inner))
    )


def _has_id(hit: Mapping[str, Any]) -> bool:
    """True if the id is a text, also for a document without the id column, for which the engine is asked again."""
    if "_id" in hit:
        return isinstance(hit["_id"], str)
    fields = hit.get("fields", {})
    ids = fields.get(ID_FIELD, [""]) if isinstance(fields, dict) else []
    return isinstance(ids, list) and bool(ids) and isinstance(ids[0], str)


def _is_score(score: Any) -> bool:
    return type(score) in (int, float) and -_MAX_SCORE <= score <= _MAX_SCORE


def _holds(found: Any, is_sound: Callable[[Any], bool]) -> bool:
    return isinstance(found, dict) and all(map(is_sound, found.values()))


def _is_fragments(fragments: Any) -> bool:
    return isinstance(fragments, list) and all(isinstance(each, str) for each in fragments)


def _is_inner(inner: Any) -> bool:
    """True if these are hits inside a hit, each with its position in the document."""
    hits = _hits(inner)
    return hits is not None and all(
        isinstance(hit, dict)
        and isinstance(hit.get("_nested"), dict)
        and isinstance(hit["_nested"].get("offset"), int)
        and isinstance(hit.get("_source", {}), dict)
        for hit in hits
    )


def _error(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the error with the engine's type and reason if given, whatever else it sent."""
    error = response["error"]
    if not isinstance(error, dict):
        error = {"reason": str(error or "no reason given")}
    causes = error.get("root_cause")
    causes = [_given(each) for each in causes if isinstance(each, dict)] if isinstance(causes, list) else []
    status = str(response.get("status"))
    return {"error": {**_given(error), "root_cause": causes}, "status": int(status) if status.isdecimal() else 0}


def _given(error: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in error.items() if value is not None}


def _shards(shards: Any) -> Mapping[str, Any]:
    """Returns counts and failures of shards; each failure has a reason that is an object."""
    if not isinstance(shards, dict):
        return {}
    counts = {name: count for name in ("successful", "failed") if isinstance(count := shards.get(name), int)}
    total = shards.get("total")
    counts["total"] = total if isinstance(total, int) else sum(counts.values())
    failures = shards.get("failures")
    failures = [each for each in failures if isinstance(each, dict)] if isinstance(failures, list) else []
    named = [
        {**each, "reason": _given(each["reason"]) if isinstance(each.get("reason"), dict) else {}} for each in failures
    ]
    return {"successful": counts["total"], "failed": 0, **counts, "failures": named}


def _bad(reason: str) -> Mapping[str, Any]:
    return {"error": {"type": "bad_answer", "reason": reason}, "status": 0}
