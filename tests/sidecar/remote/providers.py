"""A real HTTP server on loopback that answers as the documentation of each API says; with faults on request."""

import asyncio
import json
import re
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

from aiohttp import web

KEY = "key-of-the-operator-0123456789"
DIMENSIONS = 64
Fault = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def overlap(query: str, passage: str) -> float:
    """The share of the query's words that are in the passage; a little for a passage's own length, as models do."""
    asked = words(query)
    return round(len(asked & words(passage)) / len(asked), 6) if asked else 0.0


def vector(text: str) -> list[float]:
    """Counts of words by their hash, not of unit length, and never zero."""
    counts = [0.0] * DIMENSIONS
    counts[0] = 0.01
    for word in words(text):
        counts[1 + crc32(word.encode()) % (DIMENSIONS - 1)] += 2.0
    return counts


@dataclass
class Provider:
    """Answers every shape. `faults` answer the next requests in place of it; `bodies` are what was asked."""

    url: str = ""
    paths: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    always: Fault | None = None
    under_way: int = 0
    most_under_way: int = 0

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = json.loads(await request.read())
        self.paths.append(request.path)
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if fault := self.faults.pop(0) if self.faults else self.always:
                return await fault(request, body)
            if request.headers.get("Authorization") != f"Bearer {KEY}":
                return web.json_response({"message": "invalid api token"}, status=401)
            return web.json_response(answer(request.path, body))
        finally:
            self.under_way -= 1


def answer(path: str, body: dict[str, Any]) -> Any:
    """The documented answer."""
    return reranked(path, body) if "query" in body else embedded(path, body)


def reranked(path: str, body: dict[str, Any]) -> Any:
    """Sorted by score, best first, as all of them do."""
    texts = body.get("documents") or body["texts"]
    assert all(texts), "empty texts are refused by some"
    scored = sorted(((overlap(body["query"], text), index) for index, text in enumerate(texts)), reverse=True)
    if path == "/rerank":
        return [{"index": index, "score": 10 * score - 5} for score, index in scored]
    results = [{"index": index, "relevance_score": score} for score, index in scored]
    if "truncation" in body:  # Voyage
        return {"object": "list", "data": results, "model": body["model"], "usage": {"total_tokens": 9}}
    if path == "/v1/rerank":  # vLLM repeats the documents
        documents = [{**each, "document": {"text": texts[each["index"]]}} for each in results]
        return {"id": "rerank-1", "model": body["model"], "usage": {"total_tokens": 9}, "results": documents}
    return {"id": "1", "results": results, "meta": {"api_version": {"version": "2"}}}


def embedded(path: str, body: dict[str, Any]) -> Any:
    """Vectors, which OpenAI numbers."""
    texts = body.get("inputs") or body.get("texts") or body["input"]
    assert all(texts), "OpenAI refuses an empty string"
    vectors = [vector(text) for text in texts]
    if path == "/embed":
        return vectors
    if path == "/v2/embed":
        return {"id": "1", "embeddings": {"float": vectors}, "texts": texts, "response_type": "embeddings_by_type"}
    data = [{"object": "embedding", "index": index, "embedding": each} for index, each in enumerate(vectors)]
    return {"object": "list", "data": data[::-1], "model": body["model"], "usage": {"total_tokens": 9}}


@contextmanager
def provider(context: ssl.SSLContext | None = None) -> Iterator[Provider]:
    """Serves in a thread of its own until the block ends."""
    served = Provider()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> web.AppRunner:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/{path:.*}", served.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        scheme, port = ("https" if context else "http"), runner.addresses[0][1]
        served.url = f"{scheme}://127.0.0.1:{port}"
        return runner

    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield served
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def endpoints(folder: Path, url: str, *names: str, key: str = KEY, **fields: object) -> Path:
    """Writes the operator's file for these remotes."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "remotes.toml"
    lines = {"url": url, "key": key, **fields}
    table = "\n".join(f"{name} = {json.dumps(value)}" for name, value in lines.items())
    path.write_text("\n".join(f"[{name}]\n{table}" for name in names))
    return path


def model_folder(folder: Path, kind: str, api: str, **fields: object) -> Path:
    """Writes a model folder by the name of its API: `cohere-reranker`, `cohere-encoder`."""
    name = f"{api}-{kind.removeprefix('remote-')}"
    lines = {
        "kind": kind,
        "name": name,
        "version": "1",
        "licence": "proprietary",
        "api": api,
        "model": "theirs",
        "max_tokens": 512,
        "max_batch": 96,
        **({"dimensions": DIMENSIONS} if kind == "remote-encoder" else {}),
        **fields,
    }
    path = folder / str(lines["name"])
    path.mkdir(parents=True)
    (path / "model.toml").write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in lines.items()))
    return path
