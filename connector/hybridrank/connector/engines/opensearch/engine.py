"""OpenSearch, through its official asynchronous client."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from opensearchpy import AIOHttpConnection, AsyncOpenSearch, JSONSerializer, exceptions
from opensearchpy._async.http_aiohttp import OpenSearchClientResponse

from hybridrank.common.per_loop import PerLoop
from hybridrank.connector.engines.opensearch import native
from hybridrank.connector.engines.opensearch.dialect import OPENSEARCH
from hybridrank.connector.engines.rest.answers import bad_answer, json_answer, reading, search_responses
from hybridrank.connector.engines.rest.causes import no_connection, read, refusal
from hybridrank.connector.engines.rest.engine import RestEngine
from hybridrank.connector.engines.rest.http import Access, open_session
from hybridrank.connector.engines.rest.json_body import parsed, text_of
from hybridrank.connector.errors import EngineError, EngineTimeout
from hybridrank.connector.fusion import NativeForm

__all__ = ["OpenSearchEngine"]


class OpenSearchEngine(RestEngine):
    """A cluster of OpenSearch 2.9 or later, or 3."""

    apis = frozenset({"rest", "ml_commons"})
    name = "opensearch"
    dialect = OPENSEARCH

    _clients: PerLoop[AsyncOpenSearch]
    _nodes: Mapping[str, Any] | None = None  # as the server described them for native fusion

    async def _native_lack(self, form: NativeForm, queries: int) -> str:
        if self._nodes is None:
            self._nodes = await self._send("GET", "/_nodes/search_pipelines")
        with reading("/_nodes/search_pipelines"):
            return native.lack(self._nodes, form, queries)

    def _fused_body(
        self, bodies: Sequence[Mapping[str, Any]], form: NativeForm, rank_window_size: int
    ) -> dict[str, Any]:
        return native.body(bodies, form, rank_window_size)

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        try:
            client = await self._clients.here()
            return json_answer(path, await client.transport.perform_request(method, path, body=body))
        except exceptions.OpenSearchException as error:
            raise self._ours(path, error) from error

    async def _msearch(self, request_lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        try:
            response = await (await self._clients.here()).msearch(body=request_lines)
        except exceptions.OpenSearchException as error:
            raise self._ours("_msearch", error) from error
        return search_responses(response, len(request_lines) // 2)

    async def _bulk(self, lines: bytes) -> Mapping[str, Any]:
        headers = {"content-type": "application/x-ndjson"}
        try:
            client = await self._clients.here()
            answer: Mapping[str, Any] = await client.transport.perform_request(
                "POST", "/_bulk", headers=headers, body=lines
            )
        except exceptions.OpenSearchException as error:
            raise self._ours("_bulk", error) from error
        return answer

    def _open(self, access: Access) -> AsyncOpenSearch:
        nodes = access.address.nodes
        tls: dict[str, Any] = {"ssl_context": access.context} if access.context else {}
        return AsyncOpenSearch(
            hosts=list(nodes),
            headers=access.headers,
            connection_class=_Connection,
            serializer=_Json(),
            timeout=access.timeout_s,
            max_retries=len(nodes),
            **tls,
        )

    async def _shut(self, client: AsyncOpenSearch) -> None:
        """Closes the client's connections, including those to removed nodes, which the client leaves open."""
        await client.close()
        pool = client.transport.connection_pool
        for connection in getattr(pool, "orig_connections", ()):  # the pool of a single node removes none
            await connection.close()

    def _ours(self, path: str, error: exceptions.OpenSearchException) -> EngineError:
        match error:
            case exceptions.ConnectionTimeout():
                return EngineTimeout(f"OpenSearch at {self.url} did not answer {path} in time", reason="timeout")
            case exceptions.ConnectionError():
                return no_connection(self.url, error.info if isinstance(error.info, Exception) else error)
            case exceptions.SerializationError():
                return bad_answer(path)
            case exceptions.TransportError():
                return refusal(path, int(error.status_code), error.info)
        return EngineError(f"OpenSearch at {self.url}: {error}")


class _Response(OpenSearchClientResponse):
    """A response that is decoded as UTF-8, with any bytes."""

    async def text(self, encoding: Any = None, errors: str = "replace") -> str:  # noqa: ARG002
        return text_of(await self.read())


class _Json(JSONSerializer):
    """Reads JSON in the same way as every engine answer."""

    def loads(self, s: str) -> Any:
        try:
            return parsed(s)
        except ValueError as error:
            raise exceptions.SerializationError(str(error)) from error


class _Connection(AIOHttpConnection):
    """A connection with our proxy and without redirects."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if ":" in self.hostname:  # IPv6; the client builds URLs without adding the brackets
            self.hostname = f"[{self.hostname}]"

    async def _create_aiohttp_session(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.session = open_session(
            self.host,
            headers=self.headers,
            context=self._ssl_context,
            connections=self._limit or 0,
            response_class=_Response,
        )

    def _raise_error(self, status_code: int, raw_data: str | bytes, content_type: str | None = None) -> None:  # noqa: ARG002
        """Accepts any error body; the client's own method reads only an object."""
        raise exceptions.TransportError(status_code, "", read(raw_data))
