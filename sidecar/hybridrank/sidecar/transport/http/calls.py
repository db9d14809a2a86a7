"""One HTTP call: read, decode, call, encode; cancelled when the caller disconnects."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response

from hybridrank.sidecar.errors import CallError, TooLarge, Unauthenticated, UnknownField
from hybridrank.sidecar.readiness import Readiness
from hybridrank.sidecar.transport.call import REQUEST_ID, Call
from hybridrank.sidecar.transport.calls import CALLER_GONE, Calls
from hybridrank.sidecar.transport.http import answers, bodies
from hybridrank.sidecar.transport.http.errors import error_headers
from hybridrank.sidecar.transport.security.keys import KeyRing
from hybridrank.sidecar.transport.status import status

JSON = "application/json"


@dataclass(frozen=True)
class Endpoint:
    """One path: its body, its handler, and the shapes of its answers and errors.

    `method` is the name of the same method over gRPC; metrics count both together. `unknown_field` is the status for a
    field that the API does not have: 422 for Cohere and Jina, 400 for OpenAI.
    """

    path: str
    method: str
    summary: str
    body: type[bodies.Body]
    answer: Any
    error: Callable[[CallError], dict[str, Any]]
    handle: Callable[[Calls, Any, float | None, str], Awaitable[answers.Answer]]
    unknown_field: int = 422


@dataclass(frozen=True)
class Face:
    """Dependencies of every call. With `keys`, all paths but health and the docs page need one."""

    calls: Calls
    readiness: Readiness
    max_body_bytes: int
    keys: KeyRing | None = None

    async def respond(self, endpoint: Endpoint, request: Request) -> Response:
        """Answers one call; errors have the shape of the endpoint."""
        call = Call.of("http", endpoint.method, f"POST {endpoint.path}", request.headers)
        headers = {REQUEST_ID: call.request_id}

        async def work() -> answers.Answer:
            body = bodies.parse(endpoint.body, await self._read(request))
            deadline = bodies.deadline_of(request.headers.get("x-timeout-ms"))
            async with cancelled_when_gone(request):
                return await endpoint.handle(self.calls, body, deadline, call.request_id)

        try:
            self.authenticate(request, endpoint.method)
            answer = await self.calls.run(call, work)
        except CallerGone:
            return Response(status_code=CALLER_GONE.http)  # only the log of a proxy sees it
        except CallError as error:
            headers.update(error_headers(error))
            content = answers.to_json(endpoint.error(error))
            code = endpoint.unknown_field if isinstance(error, UnknownField) else status(error).http
            return Response(content, code, headers, JSON)
        # A thousand vectors take a second to print; a thread does it, so that other calls continue.
        return Response(await asyncio.to_thread(answers.to_json, answer.content), 200, headers, JSON)

    def authenticate(self, request: Request, method: str = "other") -> None:
        """Raises Unauthenticated without a valid key, if one is needed, and counts a call of this method."""
        if self.keys and not self.keys.accepts(request.headers.get("authorization")):
            self.calls.refused_without_key("http", method, f"{request.method} {request.url.path}")
            raise Unauthenticated

    async def _read(self, request: Request) -> bytes:
        raw = bytearray()
        async for part in request.stream():
            raw += part
            if len(raw) > self.max_body_bytes:
                raise TooLarge(self.max_body_bytes)
        return bytes(raw)


class CallerGone(asyncio.CancelledError):
    """The connection was closed before the answer."""


@asynccontextmanager
async def cancelled_when_gone(request: Request) -> AsyncIterator[None]:
    """Cancels the block when the caller closes the connection, as gRPC does; the block then raises CallerGone.

    Read the body before.
    """
    task = asyncio.current_task()
    assert task is not None
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if gone:
            raise CallerGone from None
        raise
    finally:
        watcher.cancel()
