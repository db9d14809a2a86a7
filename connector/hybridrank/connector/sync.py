"""Thin synchronous interface: runs the asynchronous code on an event loop in its own thread."""

from types import TracebackType

from typing_extensions import Self

from hybridrank.common.loop_thread import LoopThread
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.engines.connect import connect_engine
from hybridrank.connector.request import SearchRequest
from hybridrank.connector.retrieval import FusedBy
from hybridrank.connector.search import HybridSearch
from hybridrank.connector.sidecar_client.client import SidecarClient
from hybridrank.connector.stages.feature_log import FeatureLog
from hybridrank.connector.types import SearchResponse

__all__ = ["SyncHybridSearch"]


class SyncHybridSearch:
    """`HybridSearch` for code without an event loop; safe to share between threads, and to use in a forked child.

    `engine` is an address, as for `connect_engine`, or an engine; `sidecar` is an address, or a SidecarClient if TLS or
    a key is needed; `fusion` and `feature_log` as for HybridSearch. Use it in a `with` block, or call `close`, which
    also closes the engine and the client.
    """

    def __init__(
        self,
        engine: str | Engine,
        sidecar: str | SidecarClient | None = None,
        *,
        fusion: FusedBy = "client",
        feature_log: FeatureLog | None = None,
    ) -> None:
        self._sidecar = SidecarClient(sidecar) if isinstance(sidecar, str) else sidecar
        self._thread = LoopThread()
        try:
            connected = self._thread.run(connect_engine(engine)) if isinstance(engine, str) else engine
        except BaseException:
            self._thread.stop()
            raise
        self._search = HybridSearch(connected, self._sidecar, fusion=fusion, feature_log=feature_log)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def search(self, request: SearchRequest) -> SearchResponse:
        """Same as `HybridSearch.search`."""
        return self._thread.run(self._search.search(request))

    def close(self) -> None:
        """Closes the connections and ends the thread; a later search opens new ones."""
        self._thread.run(self._search.engine.close())
        if self._sidecar is not None:
            self._thread.run(self._sidecar.close())
        self._thread.stop()
