"""Writes documents by `_bulk`: splits by bytes, halves a request that is refused as a whole, and retries if busy."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import uuid4

from hybridrank.connector.engines.documents import RejectedDocument, as_json, id_problem
from hybridrank.connector.errors import EngineError

__all__ = ["BulkWriter"]

MAX_BYTES = 1_000_000
"""Maximum bytes of one request; the first 413 lowers the limit. Above 1 MiB aiohttp warns that sending may block the
event loop."""
_TRIES = 5
_LONGEST_PAUSE_S = 8.0
_BUSY = (429, 502, 503, 504)
_REFUSED_WHOLE = (400, 413)  # one document may be the cause, so the others are sent without it
_INDEX_WIDE = {
    "cluster_block_exception",
    "index_closed_exception",
    "index_not_found_exception",
    "security_exception",
}

Send: TypeAlias = Callable[[bytes], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class _Action:
    """One document in `_bulk` format: a line with its destination, and the document."""

    doc_id: str
    lines: bytes

    @classmethod
    def index(cls, index: str, doc_id: str, source: Mapping[str, Any]) -> "_Action":
        """Writes the document. Raises ValueError if servers do not accept its id or its source."""
        if problem := id_problem(doc_id):
            raise ValueError(problem)
        header = as_json({"index": {"_index": index, "_id": doc_id}})
        return cls(doc_id, f"{header}\n{as_json(source)}\n".encode())


@dataclass(slots=True)
class BulkWriter:
    """Writes documents to one server. `max_bytes` falls to the limit of the server, or of a proxy before it.

    A request that is refused for its size (413) or its content (400) is sent again in halves, down to the one document
    that causes it, which is rejected by name. If the server is busy, a request is repeated after min(backoff_s * 2 **
    (n - 1), 8) seconds, five times in total, and then rejected by name.
    """

    send: Send
    max_bytes: int = MAX_BYTES
    backoff_s: float = 0.5

    async def check(self, index: str) -> None:
        """Updates a document that does not exist: the server checks everything as for a write, and writes nothing.

        Raises EngineError with reason "not_writable" if the index accepts no documents.
        """
        header = as_json({"update": {"_index": index, "_id": f"hybridrank-probe-{uuid4().hex}"}})
        try:
            (outcome,) = _outcomes(await self.send(f'{header}\n{{"doc": {{}}}}\n'.encode()), 1)
        except EngineError as error:
            if error.status not in (401, 403):
                raise
            outcome = {"status": error.status, "error": {"type": error.reason, "reason": str(error)}}
        if "error" in outcome and _type(outcome) != "document_missing_exception":
            raise _unwritable(index, outcome)

    async def write(self, index: str, documents: Iterable[tuple[str, Mapping[str, Any]]]) -> list[RejectedDocument]:
        """Writes the documents (id and source) and returns the rejected ones.

        Raises EngineError if the index accepts no documents, or the server does not answer.
        """
        rejected: list[RejectedDocument] = []
        actions: list[_Action] = []
        for doc_id, source in documents:
            try:
                actions.append(_Action.index(index, doc_id, source))
            except (TypeError, ValueError) as error:
                rejected.append(RejectedDocument(doc_id, str(error)))
        for batch in self._batches(actions):
            rejected += await self._write(index, batch)
        return rejected

    def _batches(self, actions: Iterable[_Action]) -> Iterator[list[_Action]]:
        """Yields batches without repeated ids: the second document of one id must not be written before the first."""
        batch: dict[str, _Action] = {}
        size = 0
        for each in actions:
            if batch and (each.doc_id in batch or size + len(each.lines) > self.max_bytes):
                yield [*batch.values()]
                batch, size = {}, 0
            batch[each.doc_id] = each
            size += len(each.lines)
        if batch:
            yield [*batch.values()]

    async def _write(self, index: str, batch: Sequence[_Action]) -> list[RejectedDocument]:
        rejected: list[RejectedDocument] = []
        busy: dict[_Action, str] = dict.fromkeys(batch, "")
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(min(self.backoff_s * 2 ** (attempt - 1), _LONGEST_PAUSE_S))
            waiting = list(busy)
            try:
                answer = await self.send(b"".join(each.lines for each in waiting))
            except EngineError as error:
                if error.status in _REFUSED_WHOLE:
                    return rejected + await self._halves(index, waiting, error)
                if error.status not in _BUSY:
                    raise
                if error.status != 429 and attempt == _TRIES - 1:  # the server is gone, not busy
                    raise
                busy = dict.fromkeys(waiting, str(error))
                continue
            busy = {}
            for each, outcome in zip(waiting, _outcomes(answer, len(waiting)), strict=True):
                if "error" not in outcome:
                    continue
                if _type(outcome) in _INDEX_WIDE:
                    raise _unwritable(index, outcome)
                if outcome.get("status") in _BUSY:
                    busy[each] = _reason(outcome)
                else:
                    rejected.append(RejectedDocument(each.doc_id, _reason(outcome)))
            if not busy:
                return rejected
        return rejected + [
            RejectedDocument(each.doc_id, f"the server was too busy {_TRIES} times: {reason}")
            for each, reason in busy.items()
        ]

    async def _halves(self, index: str, batch: Sequence[_Action], error: EngineError) -> list[RejectedDocument]:
        size = sum(len(each.lines) for each in batch)
        if error.status == 413:
            self.max_bytes = max(1, min(self.max_bytes, size // 2))
        if len(batch) == 1:
            too_large = f"too large for the server or a proxy before it, {size:,} bytes: " * (error.status == 413)
            return [RejectedDocument(batch[0].doc_id, f"{too_large}{error}")]
        middle = len(batch) // 2
        return await self._write(index, batch[:middle]) + await self._write(index, batch[middle:])


def _unwritable(index: str, outcome: Mapping[str, Any]) -> EngineError:
    """Returns an error on why an index accepts no documents and what to do, from the server's answer to one action."""
    kind, reason = _type(outcome), _reason(outcome)
    remedy = ""
    if kind == "cluster_block_exception":
        remedy = next((advice for sign, advice in _BLOCKS if sign in reason), "remove the block")
    elif kind == "index_closed_exception":
        remedy = "open it: POST /INDEX/_open"
    elif outcome.get("status") in (401, 403):
        remedy = "the user needs the privilege to write into it"
    remedy = remedy.replace("INDEX", index)
    sentence = f"index {index!r} takes no documents: {reason}" + (f"; {remedy}" if remedy else "")
    return EngineError(sentence, status=int(outcome.get("status", 0)), reason="not_writable")


_SETTINGS = 'PUT /INDEX/_settings {"index.blocks.%s": null}'
_BLOCKS = (  # a marker in the server's reason → what to do; the first match counts
    ("allow", f"its disk is nearly full: free some, then {_SETTINGS % 'read_only_allow_delete'}"),
    ("index write", _SETTINGS % "write"),
    ("index read-only", _SETTINGS % "read_only"),
    ("index metadata", f"a new field cannot be added: {_SETTINGS % 'metadata'}"),
    ("cluster read-only", 'PUT /_cluster/settings {"persistent": {"cluster.blocks.read_only": null}}'),
)


def _outcomes(answer: Any, count: int) -> list[Mapping[str, Any]]:
    items = answer.get("items") if isinstance(answer, Mapping) else None
    found = [outcome for each in items if isinstance(each, Mapping) for outcome in each.values()] if items else []
    if len(found) != count or not all(isinstance(each, Mapping) for each in found):
        raise EngineError("_bulk: the answer does not say what became of each document", reason="bad_answer")
    return found


def _type(outcome: Mapping[str, Any]) -> str:
    error = outcome.get("error")
    return str(error.get("type", "")) if isinstance(error, Mapping) else ""


def _reason(outcome: Mapping[str, Any]) -> str:
    error = outcome.get("error")
    if not isinstance(error, Mapping):
        return str(error)
    said = str(error.get("reason", error.get("type", "engine_error"))).partition(". Preview of field's value")[0]
    cause = error.get("caused_by")
    return f"{said}: {cause['reason']}" if isinstance(cause, Mapping) and cause.get("reason") else said
