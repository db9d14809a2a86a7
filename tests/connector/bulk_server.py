"""A small server that takes `_bulk` as OpenSearch and Elasticsearch do, within the limits that a test sets."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class BulkServer:
    """`limit` bytes a request; a request with an id of `poison` is refused whole; `busy` ids, and how often each is;
    `silent` answers tell no outcomes."""

    limit: int = 10**9
    poison: set[str] = field(default_factory=set)
    busy: dict[str, int] = field(default_factory=dict)
    busy_requests: int = 0
    blocked: dict[str, Any] | None = None
    silent: bool = False
    stored: dict[str, Any] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, raw: bytes) -> tuple[int, Any]:
        if not path.startswith("/_bulk"):
            return 200, {path.split("/")[1]: {"mappings": {}}}
        self.sizes.append(len(raw))
        if len(raw) > self.limit:
            return 413, {"Message": "Request size exceeded"}
        if self.busy_requests:
            self.busy_requests -= 1
            return 429, {"error": {"type": "circuit_breaking_exception", "reason": "parent: data too large"}}
        lines = [json.loads(line) for line in raw.splitlines()]
        actions = [next(iter(line.items())) for line in lines[::2]]
        if any(action["_id"] in self.poison for _, action in actions):
            return 400, {"error": {"type": "action_request_validation_exception", "reason": "Validation Failed"}}
        if self.silent:
            return 200, {"items": []}
        items = [
            {verb: self.outcome(verb, action["_id"], source)}
            for (verb, action), source in zip(actions, lines[1::2], strict=True)
        ]
        return 200, {"errors": True, "items": items}

    def outcome(self, verb: str, doc_id: str, source: Any) -> dict[str, Any]:
        if self.blocked:
            return {"_id": doc_id, **self.blocked}
        if verb == "update":
            return {"_id": doc_id, "status": 404, "error": {"type": "document_missing_exception", "reason": "missing"}}
        if self.busy.get(doc_id, 0) > 0:
            self.busy[doc_id] -= 1
            error = {"type": "es_rejected_execution_exception", "reason": "rejected execution"}
            return {"_id": doc_id, "status": 429, "error": error}
        self.stored[doc_id] = source
        return {"_id": doc_id, "status": 201, "result": "created"}


@contextmanager
def bulk_server(server: BulkServer) -> Iterator[BulkServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.reply()

        def do_POST(self) -> None:
            self.reply()

        def reply(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, answer = server.answer(self.path, raw)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.send_header("x-elastic-product", "Elasticsearch")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listening.server_port}"
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
