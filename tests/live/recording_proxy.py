"""A proxy before a real engine that keeps what was asked of it: the requests as they went over the wire."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

_PASSED_ON = ("content-type", "x-elastic-product")


@dataclass
class RecordingProxy:
    """`url` is where it listens; `requests` holds (method, path with query, body lines as JSON)."""

    url: str
    requests: list[tuple[str, str, list[Any]]] = field(default_factory=list)


@asynccontextmanager
async def recording_proxy(target: str) -> AsyncIterator[RecordingProxy]:
    """Stand before the engine at `target` on a free port."""
    proxy = RecordingProxy("")

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        lines = [json.loads(line) for line in body.splitlines() if line]
        proxy.requests.append((request.method, request.path_qs, lines))
        headers = {name: value for name, value in request.headers.items() if name.lower() in ("content-type", "accept")}
        async with session.request(request.method, target + request.path_qs, data=body, headers=headers) as answer:
            passed_on = {name: value for name, value in answer.headers.items() if name.lower() in _PASSED_ON}
            return web.Response(status=answer.status, body=await answer.read(), headers=passed_on)

    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    async with aiohttp.ClientSession() as session:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield proxy
        finally:
            await runner.cleanup()
