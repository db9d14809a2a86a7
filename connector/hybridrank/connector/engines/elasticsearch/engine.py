"""Elasticsearch, through its official asynchronous client."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any

from elastic_transport import AiohttpHttpNode, ConnectionTimeout, HttpHeaders, TransportError
from elastic_transport import ConnectionError as TransportConnectionError
from elasticsearch import ApiError, AsyncElasticsearch, JsonSerializer, SerializationError

from hybridrank.common.per_loop import PerLoop
from hybridrank.connector.engines.elasticsearch import native
from hybridrank.connector.engines.elasticsearch.dialect import ELASTICSEARCH
from hybridrank.connector.engines.elasticsearch.licence import active_licence, licence_lack
from hybridrank.connector.engines.rest.answers import bad_answer, json_answer, search_responses
from hybridrank.connector.engines.rest.causes import no_connection, refusal
from hybridrank.connector.engines.rest.engine import RestEngine
from hybridrank.connector.engines.rest.http import Access, open_session
from hybridrank.connector.engines.rest.json_body import parsed, text_of
from hybridrank.connector.errors import EngineError, EngineTimeout
from hybridrank.connector.fusion import NativeForm
from hybridrank.index_templates import IndexDefinition

__all__ = ["ElasticsearchEngine"]

_COMPATIBLE = re.compile(r"application/vnd\.elasticsearch\+([\w-]+); *compatible-with=\d+")


class ElasticsearchEngine(RestEngine):
    """A cluster of Elasticsearch 8.12 or later, or 9, on any licence."""

    apis = frozenset({"rest", "inference"})
    name = "elasticsearch"
    dialect = ELASTICSEARCH

    _clients: PerLoop[AsyncElasticsearch]
    _version_and_licence: tuple[str, str] | None = None

    async def _native_lack(self, form: NativeForm, queries: int) -> str:  # noqa: ARG002
        if self._version_and_licence is None:
            self._version_and_licence = (await self.info()).version, await active_licence(self._send)
        return native.lack(*self._version_and_licence, form)

    async def _fitting(self, definition: IndexDefinition, template: Mapping[str, Any] | None = None) -> IndexDefinition:
        if definition.vectors == "on_disk":
            lack = licence_lack("the vector index bbq_disk", await active_licence(self._send))
            if lack:
                raise EngineError(lack, reason="unsupported")
        return await super()._fitting(definition, template)

    def _fused_body(
        self, bodies: Sequence[Mapping[str, Any]], form: NativeForm, rank_window_size: int
    ) -> dict[str, Any]:
        return native.body(bodies, form, rank_window_size)

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"accept": "application/json"} | ({"content-type": "application/json"} if body is not None else {})
        try:
            client = await self._clients.here()
            response = await client.perform_request(method, path, headers=headers, body=body)
        except (ApiError, TransportError) as error:
            raise self._ours(path, error) from error
        return json_answer(path, response.body)

    async def _msearch(self, request_lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        try:
            response = await (await self._clients.here()).msearch(searches=request_lines)
        except (ApiError, TransportError) as error:
            raise self._ours("_msearch", error) from error
        return search_responses(response.body, len(request_lines) // 2)

    async def _bulk(self, lines: bytes) -> Mapping[str, Any]:
        headers = {"accept": "application/json", "content-type": "application/x-ndjson"}
        try:
            client = await self._clients.here()
            response = await client.perform_request("POST", "/_bulk", headers=headers, body=lines)
        except (ApiError, TransportError) as error:
            raise self._ours("_bulk", error) from error
        answer: Mapping[str, Any] = response.body
        return answer

    def _open(self, access: Access) -> AsyncElasticsearch:
        nodes = access.address.nodes
        tls: dict[str, Any] = {"ssl_context": access.context} if access.context else {}
        return AsyncElasticsearch(
            list(nodes),
            headers=access.headers,
            node_class=_Node,
            serializer=_Json(),
            request_timeout=access.timeout_s,
            max_retries=len(nodes),
            **tls,
        )

    async def _shut(self, client: AsyncElasticsearch) -> None:
        await client.close()

    def _ours(self, path: str, error: ApiError | TransportError) -> EngineError:
        match error:
            case ConnectionTimeout():
                return EngineTimeout(f"Elasticsearch at {self.url} did not answer {path} in time", reason="timeout")
            case TransportConnectionError():
                return no_connection(self.url, _first_cause(error))
            case SerializationError():
                return bad_answer(path)
            case ApiError():
                return refusal(path, error.meta.status, error.body)
        return EngineError(f"Elasticsearch at {self.url}: {error}")


class _Json(JsonSerializer):
    """Reads JSON in the same way as every engine answer."""

    def json_loads(self, data: bytes) -> Any:
        return parsed(text_of(data))


class _Node(AiohttpHttpNode):
    """A node that is called with plain JSON: servers of versions 8 and 9 both accept it, with any client version."""

    async def perform_request(  # type: ignore[override]
        self, method: str, target: str, body: bytes | None = None, headers: HttpHeaders | None = None, **options: Any
    ) -> Any:
        plain = {name: _COMPATIBLE.sub(r"application/\1", value) for name, value in (headers or {}).items()}
        return await super().perform_request(method, target, body, HttpHeaders(plain), **options)

    def _create_aiohttp_session(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.session = open_session(
            self.base_url, headers=self.headers, context=self._ssl_context, connections=self._connections_per_node
        )


def _first_cause(error: Exception) -> Exception:
    """Returns the cause of the first failed attempt, below the client's own errors."""
    while isinstance(error, TransportError) and error.errors:
        error = error.errors[0]
    return error
