"""OpenSearch, through its official asynchronous client."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from opensearchpy import AsyncOpenSearch, exceptions
from opensearchpy.helpers import async_streaming_bulk

from connector.engines.base import RejectedDocument
from connector.engines.rest import RestEngine, refusal
from connector.errors import EngineError, EngineTimeout, EngineUnreachable
from connector.queries import knn
from connector.types import KnnQuery

__all__ = ["OpenSearchEngine"]


class OpenSearchEngine(RestEngine):
    """A cluster of OpenSearch 2.9 or later, or 3.

    `url` without credentials; `auth` is (user, password). Certificates are checked unless `verify_certs` is False;
    `ca_certs` is the path of a bundle for a private authority. `timeout_s` bounds every request.
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
        self._client = AsyncOpenSearch(
            hosts=[url], http_auth=auth, ca_certs=ca_certs, verify_certs=verify_certs, timeout=timeout_s, max_retries=1
        )

    def _knn_body(self, query: KnnQuery) -> dict[str, Any]:
        return knn.opensearch(query)

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

    async def _bulk(self, actions: Iterable[dict[str, Any]]) -> list[RejectedDocument]:
        rejected = []
        try:
            async for ok, item in async_streaming_bulk(self._client, actions, raise_on_error=False, max_retries=5):
                if not ok:
                    outcome = next(iter(item.values()))
                    rejected.append(RejectedDocument(outcome["_id"], str(outcome["error"])))
        except exceptions.OpenSearchException as error:
            raise self._ours("_bulk", error) from error
        return rejected

    async def close(self) -> None:
        """Close the client's connections."""
        await self._client.close()

    def _ours(self, path: str, error: exceptions.OpenSearchException) -> EngineError:
        match error:
            case exceptions.ConnectionTimeout():
                return EngineTimeout(f"OpenSearch at {self.url} did not answer {path} in time", reason="timeout")
            case exceptions.ConnectionError():
                return EngineUnreachable(f"no OpenSearch at {self.url}: {error.error}", reason="unreachable")
            case exceptions.TransportError():
                return refusal(path, int(error.status_code), error.info)
        return EngineError(f"OpenSearch at {self.url}: {error}")
