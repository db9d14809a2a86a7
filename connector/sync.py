"""A thin synchronous face: the asynchronous code on an event loop in a thread of its own."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, TypeVar

from typing_extensions import Self

from connector.engines.connect import connect_engine
from connector.request import SearchRequest
from connector.rescore.client import SidecarClient
from connector.rescore.feature_log import FeatureLog
from connector.retrieval import FusedBy
from connector.search import HybridSearch
from connector.types import SearchResponse

__all__ = ["SyncHybridSearch"]

T = TypeVar("T")


class SyncHybridSearch:
    """`HybridSearch` for code without an event loop; safe to share between threads.

    `engine` and `sidecar` are addresses, as `connect_engine` and `SidecarClient` take them; or a SidecarClient, where
    TLS or a key is needed; `fusion` and `feature_log` as for HybridSearch. Use it in a `with` block, or call `close`,
    which closes the client too.
    """

    def __init__(
        self,
        engine: str,
        sidecar: str | SidecarClient | None = None,
        *,
        fusion: FusedBy = "client",
        feature_log: FeatureLog | None = None,
    ) -> None:
        self._sidecar = SidecarClient(sidecar) if isinstance(sidecar, str) else sidecar
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hybridrank-search", daemon=True)
        self._thread.start()
        try:
            self._search = HybridSearch(
                self._wait(connect_engine(engine)), self._sidecar, fusion=fusion, feature_log=feature_log
            )
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def search(self, request: SearchRequest) -> SearchResponse:
        """As `HybridSearch.search`."""
        return self._wait(self._search.search(request))

    def close(self) -> None:
        """Close the connections and end the thread."""
        self._wait(self._search.engine.close())
        if self._sidecar is not None:
            self._wait(self._sidecar.close())
        self._stop()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
