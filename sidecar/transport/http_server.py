"""Runs the HTTP face in the event loop of the process: listens, stops."""

import asyncio
import socket

import uvicorn

from sidecar.readiness import Readiness
from sidecar.transport.calls import Calls
from sidecar.transport.http_app import make_app
from sidecar.transport.http_calls import Face
from sidecar.transport.security_keys import KeyRing
from sidecar.transport.security_tls import Tls

GOODBYE_S = 1  # how long open connections get to take the last answer


class HttpServer:
    """Listens from `start` to `stop`; it leaves signals and logging to the process, and draining to `calls`."""

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
        """Listen; returns the URL, with the port that was taken. OSError when it cannot be had."""
        config = self._server.config
        config.load()
        if self._tls:
            config.ssl = self._tls.ssl_context()
        self._server.lifespan = config.lifespan_class(config)
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            self._sockets = [socket.create_server((self._host, self._port), family=family)]
        except OSError as error:
            raise OSError(f"cannot listen on {self._host}:{self._port} for HTTP ({error})") from error
        await self._server.startup(self._sockets)
        self._ticking = asyncio.create_task(self._server.main_loop())
        port = self._sockets[0].getsockname()[1]
        host = f"[{self._host}]" if family is socket.AF_INET6 else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{port}"

    async def stop(self) -> None:
        """Close; what still runs is cut off after GOODBYE_S."""
        self._server.should_exit = True
        await self._ticking
        await self._server.shutdown(self._sockets)
