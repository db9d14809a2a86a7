"""Runs the HTTP interface in the event loop of the process."""

import asyncio
import socket

import uvicorn

from hybridrank.sidecar.readiness import Readiness
from hybridrank.sidecar.transport.calls import Calls
from hybridrank.sidecar.transport.http.app import make_app
from hybridrank.sidecar.transport.http.calls import Face
from hybridrank.sidecar.transport.security.keys import KeyRing
from hybridrank.sidecar.transport.security.tls import Tls

GOODBYE_S = 1  # time for open connections to read the last answer


class HttpServer:
    """Listens from `start` to `stop`; the process handles signals and logging, and `calls` draining."""

    def __init__(
        self,
        calls: Calls,
        *,
        host: str,
        port: int,
        max_body_bytes: int,
        readiness: Readiness | None = None,
        keys: KeyRing | None = None,
        tls: Tls | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._server = uvicorn.Server(
            uvicorn.Config(
                make_app(Face(calls, readiness or Readiness(), max_body_bytes, keys)),
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=GOODBYE_S,
            )
        )
        self._sockets: list[socket.socket] = []

    async def start(self) -> str:
        """Starts to listen; returns the URL with the real port. Raises OSError if the port cannot be used."""
        config = self._server.config
        config.load()
        if self._tls:
            config.ssl = self._tls.ssl_context()
        self._server.lifespan = config.lifespan_class(config)
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # asyncio disables Nagle's algorithm only for a socket with this protocol; otherwise each answer waits 40 ms for
        # the acknowledgement of its headers.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
        except OSError as error:
            listener.close()
            address = f"{self._host}:{self._port}"
            raise OSError(f"cannot listen on {address} for HTTP ({error}); set another http_port, or -1") from error
        self._sockets = [listener]
        await self._server.startup(self._sockets)
        self._ticking = asyncio.create_task(self._server.main_loop())
        port = listener.getsockname()[1]
        host = f"[{self._host}]" if family is socket.AF_INET6 else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{port}"

    async def stop(self) -> None:
        """Closes; running calls are cancelled after GOODBYE_S."""
        self._server.should_exit = True
        await self._ticking
        await self._server.shutdown(self._sockets)
