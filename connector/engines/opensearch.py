"""OpenSearch, through its official asynchronous client."""

from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any

from opensearchpy import AsyncOpenSearch, exceptions

from connector.engines import native
from connector.engines.addresses import node_urls
from connector.engines.rest import RestEngine, refusal
from connector.errors import EngineError, EngineTimeout, EngineUnreachable
from connector.fusion import Fusion, Rrf
from connector.queries import hybrid, knn
from connector.types import KnnQuery

__all__ = ["OpenSearchEngine"]


class OpenSearchEngine(RestEngine):
    """A cluster of OpenSearch 2.9 or later, or 3.

    `url` without credentials, `http://host:9200,host:9200` for several nodes; `auth` is (user, password). Certificates
    are checked unless `verify_certs` is False; `ca_certs` is the path of a bundle for a private authority. `timeout_s`
    bounds every request.
    """

    name = "opensearch"

    def __init__(
        self,
        url: str,
        *,
        auth: tuple[str, str] | None = None,
        ca_certs: str | None = None,
        verify_certs: bool = True,
        timeout_s: float = 10.0,
    ) -> None:
        super().__init__(url)
        urls = node_urls(url)
        self._client = AsyncOpenSearch(
            hosts=urls,
            http_auth=auth,
            ca_certs=ca_certs,
            verify_certs=verify_certs,
            timeout=timeout_s,
            max_retries=len(urls),
        )
        self._nodes: Mapping[str, Any] = {}

    def _knn_body(self, query: KnnQuery) -> dict[str, Any]:
        return knn.opensearch(query)

    async def _fusion_lack(self, fusion: Fusion, retrievers: Sequence[str]) -> str:
        if not self._nodes:
            self._nodes = await self._send("GET", "/_nodes/search_pipelines")
        return native.opensearch_lack(self._nodes, fusion, retrievers)

    def _fused_body(
        self, bodies: Sequence[Mapping[str, Any]], fusion: Fusion, weights: Sequence[float], rank_window_size: int
    ) -> tuple[dict[str, Any], float]:
        assert isinstance(fusion, Rrf)
        body = hybrid.rrf(
            bodies, rank_constant=fusion.rank_constant, weights=weights, rank_window_size=rank_window_size
        )
        return body, fsum(weights) if any(weight != 1 for weight in weights) else 1.0

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        try:
            return await self._client.transport.perform_request(method, path, body=body)
        except exceptions.OpenSearchException as error:
            raise self._ours(path, error) from error

    async def _msearch(self, request_lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        try:
            response = await self._client.msearch(body=request_lines)
        except exceptions.OpenSearchException as error:
            raise self._ours("_msearch", error) from error
        return list(response["responses"])

    async def _bulk(self, lines: bytes) -> Mapping[str, Any]:
        headers = {"content-type": "application/x-ndjson"}
        try:
            answer: Mapping[str, Any] = await self._client.transport.perform_request(
                "POST", "/_bulk", headers=headers, body=lines
            )
        except exceptions.OpenSearchException as error:
            raise self._ours("_bulk", error) from error
        return answer

    async def close(self) -> None:
        """Close the client's connections, those too to nodes that went, which it leaves open."""
        await self._client.close()
        pool = self._client.transport.connection_pool
        for connection in getattr(pool, "orig_connections", ()):  # the pool of a single node takes none out
            await connection.close()

    def _ours(self, path: str, error: exceptions.OpenSearchException) -> EngineError:
        match error:
            case exceptions.ConnectionTimeout():
                return EngineTimeout(f"OpenSearch at {self.url} did not answer {path} in time", reason="timeout")
            case exceptions.ConnectionError():
                return EngineUnreachable(f"no OpenSearch at {self.url}: {error.error}", reason="unreachable")
            case exceptions.TransportError():
                return refusal(path, int(error.status_code), error.info)
        return EngineError(f"OpenSearch at {self.url}: {error}")
