"""A small HTTP server that answers as a test says, on any address of this machine."""

import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, TypeAlias


@dataclass(frozen=True)
class Asked:
    """One request; names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Sending: TypeAlias = Literal["whole", "closed", "reset", "trickled", "never"]


@dataclass(frozen=True)
class Reply:
    """Reply of the server; a body that is not bytes is sent as JSON.

    It goes `whole`, or the connection is `closed` or `reset` in the middle of the body, or the body is `trickled` ten
    bytes every 300 ms, or nothing is ever sent.
    """

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    sending: Sending = "whole"


@dataclass
class FakeEngine:
    url: str
    port: int
    asked: list[Asked] = field(default_factory=list)


NODES = {"nodes": {"n": {"version": "3.6.0"}}}
ELASTIC = {"X-Elastic-Product": "Elasticsearch"}


def opensearch(asked: Asked) -> Reply:
    return Reply(body=NODES)


def elasticsearch(asked: Asked) -> Reply:
    return Reply(body={"nodes": {"n": {"version": "9.5.3"}}}, headers=ELASTIC)


@contextmanager
def fake_engine(
    reply: Callable[[Asked], Reply] = opensearch,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    context: ssl.SSLContext | None = None,
) -> Iterator[FakeEngine]:
    """Serve until the block ends."""
    engine = FakeEngine("", 0)
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length))
            engine.asked.append(asked)
            said = reply(asked)
            if said.sending == "never":
                ended.wait()
                return
            body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
            self.send_response(said.status)
            for name, value in ({"content-type": "application/json"} | said.headers).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.send_body(body, said.sending)

        def send_body(self, body: bytes, sending: Sending) -> None:
            if sending == "trickled":
                for start in range(0, len(body), 10):
                    self.wfile.write(body[start : start + 10])
                    if ended.wait(0.3):
                        return
                return
            self.wfile.write(body if sending == "whole" else body[: len(body) // 2])
            if sending == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = sending != "whole"

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_CONNECT = handle_any  # noqa: N815  the library's names

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that leaves is no news."""

    server = Server((host, port), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    engine.port = server.server_address[1]
    shown = f"[{host}]" if ":" in host else host
    engine.url = f"{'https' if context else 'http'}://{shown}:{engine.port}"
    try:
        yield engine
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
