"""An engine that goes away in the middle: one error that names host and cause, and nothing half-written."""

import pytest

from hybridrank.connector import Document, EngineUnreachable, HybridSearch, SearchRequest, SidecarClient, connect_engine
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.indexing import index_documents
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.local_engines.process import stop
from tests.local_engines.available import server_or_skip

CUPS = [Document(f"cup{n}", {"title": f"Cup {n}", "text": "hot tea"}) for n in range(200)]


class GoingDown:
    """A real engine whose server is stopped before the third batch is written."""

    def __init__(self, inner: Engine, stop) -> None:
        self.inner, self.stop, self.batches = inner, stop, 0

    def __getattr__(self, name: str):
        return getattr(self.inner, name)

    async def index_documents(self, index, documents):
        self.batches += 1
        if self.batches == 3:
            self.stop()
        return await self.inner.index_documents(index, documents)


async def test_an_engine_that_stops_while_documents_are_written(sidecar_address, tmp_path):
    cache = VectorCache(tmp_path / "vectors.sqlite3")
    async with SidecarClient(sidecar_address) as client:
        with server_or_skip("elasticsearch") as server:
            engine = await connect_engine(server.url)
            going_down = GoingDown(engine, lambda: stop([node.process for node in server.nodes]))
            try:
                with pytest.raises(EngineUnreachable, match=server.url):
                    await index_documents(going_down, client, "cups", CUPS, cache=cache)
                assert going_down.batches == 3
                with pytest.raises(EngineUnreachable, match=server.url):
                    await HybridSearch(engine, client).search(SearchRequest(index="cups", query_text="tea"))
            finally:
                await engine.close()
        with server_or_skip("elasticsearch") as server:
            engine = await connect_engine(server.url)
            try:
                report = await index_documents(engine, client, "cups", CUPS, cache=cache)
            finally:
                await engine.close()
    assert report.total_in_index == len(CUPS)
    assert report.encoded == 8  # the last batch alone: what had been encoded before the engine stopped was kept
