"""Elasticsearch, through its official asynchronous client."""

from collections.abc import Mapping, Sequence
from typing import Any

from elastic_transport import ConnectionError as TransportConnectionError
from elastic_transport import ConnectionTimeout, TransportError
from elasticsearch import ApiError, AsyncElasticsearch

from connector.engines import native
from connector.engines.addresses import node_urls
from connector.engines.licence import active_licence, licence_lack
from connector.engines.rest import RestEngine, refusal
from connector.errors import EngineError, EngineTimeout, EngineUnreachable
from connector.fusion import Fusion, Rrf
from connector.queries import knn, retrievers
from connector.types import KnnQuery
from index_templates import IndexDefinition

__all__ = ["ElasticsearchEngine"]


class ElasticsearchEngine(RestEngine):
    """A cluster of Elasticsearch 9 (8.12 or later with the client of version 8.19), on any licence.

    `url` without credentials, `http://host:9200,host:9200` for several nodes; `auth` is (user, password), or `api_key`
    its encoded form. Certificates are checked unless `verify_certs` is False; `ca_certs` is the path of a bundle for a
    private authority. `timeout_s` bounds every request.
    """

    name = "elasticsearch"

    def __init__(
        self,
        url: str,
        *,
        auth: tuple[str, str] | None = None,
        api_key: str | None = None,
        ca_certs: str | None = None,
        verify_certs: bool = True,
        timeout_s: float = 10.0,
    ) -> None:
        super().__init__(url)
        tls: dict[str, Any] = {"verify_certs": verify_certs, "ca_certs": ca_certs} if url.startswith("https") else {}
        urls = node_urls(url)
        self._client = AsyncElasticsearch(
            urls,
            basic_auth=auth,
            api_key=api_key,
            request_timeout=timeout_s,
            max_retries=len(urls),
            **{key: value for key, value in tls.items() if value is not None},
        )
        self._version_and_licence: tuple[str, str] | None = None

    def _knn_body(self, query: KnnQuery) -> dict[str, Any]:
        return knn.elasticsearch(query)

    async def _fusion_lack(self, fusion: Fusion, retrievers: Sequence[str]) -> str:
        if self._version_and_licence is None:
            self._version_and_licence = (await self.info()).version, await active_licence(self._send)
        return native.elasticsearch_lack(*self._version_and_licence, fusion, retrievers)

    async def _fitting(self, definition: IndexDefinition, template: Mapping[str, Any] | None = None) -> IndexDefinition:
        if definition.vectors == "on_disk":
            lack = licence_lack("the vector index bbq_disk", await active_licence(self._send))
            if lack:
                raise EngineError(lack, reason="unsupported")
        return await super()._fitting(definition, template)

    def _fused_body(
        self, bodies: Sequence[Mapping[str, Any]], fusion: Fusion, weights: Sequence[float], rank_window_size: int
    ) -> tuple[dict[str, Any], float]:
        found = [retrievers.standard(body["query"]) for body in bodies]
        fused = (
            retrievers.rrf(
                found, rank_constant=fusion.rank_constant, weights=weights, rank_window_size=rank_window_size
            )
            if isinstance(fusion, Rrf)
            else retrievers.linear(found, weights=weights, rank_window_size=rank_window_size)
        )
        body = retrievers.body(fused, size=rank_window_size, source=bodies[0]["_source"])
        return body | ({"profile": True} if "profile" in bodies[0] else {}), 1.0

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"accept": "application/json"} | ({"content-type": "application/json"} if body is not None else {})
        try:
            response = await self._client.perform_request(method, path, headers=headers, body=body)
        except (ApiError, TransportError) as error:
            raise self._ours(path, error) from error
        return response.body

    async def _msearch(self, request_lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        try:
            response = await self._client.msearch(searches=request_lines)
        except (ApiError, TransportError) as error:
            raise self._ours("_msearch", error) from error
        return list(response["responses"])

    async def _bulk(self, lines: bytes) -> Mapping[str, Any]:
        headers = {"accept": "application/json", "content-type": "application/x-ndjson"}
        try:
            response = await self._client.perform_request("POST", "/_bulk", headers=headers, body=lines)
        except (ApiError, TransportError) as error:
            raise self._ours("_bulk", error) from error
        answer: Mapping[str, Any] = response.body
        return answer

    async def close(self) -> None:
        """Close the client's connections."""
        await self._client.close()

    def _ours(self, path: str, error: ApiError | TransportError) -> EngineError:
        match error:
            case ConnectionTimeout():
                return EngineTimeout(f"Elasticsearch at {self.url} did not answer {path} in time", reason="timeout")
            case TransportConnectionError():
                return EngineUnreachable(f"no Elasticsearch at {self.url}: {error.message}", reason="unreachable")
            case ApiError():
                return refusal(path, error.meta.status, error.body)
        return EngineError(f"Elasticsearch at {self.url}: {error}")
