"""A cluster behind HTTP: its requests, its identity, and the fields of its indices."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Literal

from hybridrank.common.per_loop import PerLoop
from hybridrank.connector.engines.base import Api
from hybridrank.connector.engines.rest.answers import by_index, reading
from hybridrank.connector.engines.rest.http import Access
from hybridrank.connector.engines.rest.paths import index_path
from hybridrank.connector.engines.rest.server_info import capabilities, version
from hybridrank.connector.errors import IndexMissing
from hybridrank.connector.mapping import fields
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.types import EngineInfo

__all__ = ["Cluster"]

_PARTS = {"": ("aliases", "mappings", "settings"), "_mapping": ("mappings",), "_settings": ("settings",)}


class Cluster(ABC):
    """A cluster that answers the REST paths of OpenSearch and Elasticsearch. A subclass adds the client.

    `url` as for `connect_engine`; if it has no credentials, `auth` is (user, password), or `api_key` is the encoded
    form or `id:key`. Certificates are verified unless `verify_certs` is False; `ca_certs` is the path of a bundle for a
    private authority. `timeout_s` limits every request. Works in any number of event loops.
    """

    apis: ClassVar[frozenset[Api]] = frozenset({"rest"})
    name: ClassVar[Literal["opensearch", "elasticsearch"]]

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
        access = Access.to(
            url, auth=auth, api_key=api_key, ca_certs=ca_certs, verify_certs=verify_certs, timeout_s=timeout_s
        )
        self.url = access.address.url
        self._clients: PerLoop[Any] = PerLoop(partial(self._open, access), self._shut)
        self._fields: dict[str, Fields] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    async def info(self) -> EngineInfo:
        """Returns the version of the nodes, and their analysis capabilities."""
        return EngineInfo(self.name, await version(self._send), await capabilities(self._send))

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Sends one request to the server's own API, for calls without a method here; raises EngineError."""
        return await self._send(method, path, body)

    async def described(self, index: str, part: Literal["", "_mapping", "_settings"] = "") -> dict[str, Any]:
        """Returns the server's description of each index of `index`: all of it, or its `_mapping` or `_settings`.

        Raises EngineError, IndexMissing also for a pattern that no index matches, for which servers return an empty
        answer.
        """
        path = index_path(index, *filter(None, [part]))
        found = by_index(path, await self._send("GET", path), *_PARTS[part])
        if not found:
            raise IndexMissing(
                f"no index matches {index!r}; `hybridrank index` creates one", status=404, reason="index_missing"
            )
        return found

    async def fields_of(self, index: str) -> Fields:
        """Returns the fields from the mapping, which is read once."""
        if index not in self._fields:
            found = await self.described(index, "_mapping")
            with reading(f"index {index!r}"):
                self._fields[index] = fields.read(found)
        return self._fields[index]

    async def fields(self, index: str) -> Fields:
        """Reads the fields from the mapping."""
        self._fields.pop(index, None)
        return await self.fields_of(index)

    async def indices(self, index: str) -> tuple[str, ...]:
        """Reads the mapping again, because an alias may have moved."""
        self._fields.pop(index, None)
        return (await self.fields_of(index)).indices

    @abstractmethod
    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Sends one request; raises EngineError, IndexMissing for an index that does not exist."""

    @abstractmethod
    def _open(self, access: Access) -> Any:
        """Returns a client for the running event loop."""

    @abstractmethod
    async def _shut(self, client: Any) -> None:
        """Closes the connections of a client."""

    async def close(self) -> None:
        """Closes the connections of every event loop; a later request opens new ones."""
        await self._clients.close()
