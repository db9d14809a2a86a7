"""A small HTTP server that stands for a cluster: it keeps what was asked, and answers by a function of the tests."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Any]


@dataclass
class StandingCluster:
    """`requests` holds (method, path, body) of all but what finds out which engine, and which version, this is."""

    url: str
    requests: list[tuple[str, str, Any]] = field(default_factory=list)

    @property
    def writes(self) -> list[tuple[str, str, Any]]:
        """Requests that would change something."""
        return [each for each in self.requests if each[0] not in ("GET", "HEAD")]


@contextmanager
def standing_cluster(
    answer: Callable[[str, str, Any], Answer], *, product: str = "", version: str = "3.6.0"
) -> Iterator[StandingCluster]:
    """Serve on a free port until the block ends. `product` is "Elasticsearch", or "" for OpenSearch."""
    cluster = StandingCluster("")

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            if self.path.startswith("/_nodes/_local"):
                status, said = 200, {"nodes": {"n": {"version": version}}}
            elif self.path == "/_analyze":
                status, said = 200, {"tokens": []}
            else:
                cluster.requests.append((self.command, self.path, body))
                status, said = answer(self.command, self.path, body)
            sent = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(sent)))
            if product:
                self.send_header("X-Elastic-Product", product)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815  the library's names

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cluster.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield cluster
    finally:
        server.shutdown()
        server.server_close()
