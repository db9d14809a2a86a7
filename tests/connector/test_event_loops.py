"""Clients serve every event loop that asks: one after the other, side by side, and after being closed."""

import asyncio
import gc
import threading

import pytest

from hybridrank.connector import SearchRequest, SyncHybridSearch
from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from tests.connector.fake_engine import elasticsearch, fake_engine, opensearch

KINDS = pytest.mark.parametrize(
    ("engine_class", "product"), [(OpenSearchEngine, opensearch), (ElasticsearchEngine, elasticsearch)]
)

# A loop that ends with connections open leaves them to Python's finalisers, which say so.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


@pytest.fixture(autouse=True)
def finalised():
    """Nothing is left for the tests that follow."""
    yield
    gc.collect()


async def version(engine) -> str:
    nodes = await engine.request("GET", "/_nodes/_local")
    return nodes["nodes"]["n"]["version"]


@KINDS
def test_an_engine_works_in_one_event_loop_after_another(engine_class, product, caplog):
    with fake_engine(product) as server:
        engine = engine_class(server.url)
        found = [asyncio.run(version(engine)) for _ in range(3)]
        asyncio.run(engine.close())
        found.append(asyncio.run(version(engine)))  # opens anew
        asyncio.run(engine.close())
    assert len(set(found)) == 1
    assert "nclosed" not in caplog.text


@KINDS
def test_an_engine_works_in_loops_of_several_threads(engine_class, product):
    with fake_engine(product) as server:
        engine = engine_class(server.url)
        both_in = threading.Barrier(2)
        found = []

        async def ask():
            found.append(await version(engine))
            await asyncio.to_thread(both_in.wait, 10)
            found.append(await version(engine))
            await asyncio.to_thread(both_in.wait, 10)

        threads = [threading.Thread(target=asyncio.run, args=(ask(),)) for _ in range(2)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(20)
        asyncio.run(engine.close())
    assert len(found) == 4


@KINDS
async def test_close_closes_connections_of_a_loop_in_another_thread(engine_class, product):
    with fake_engine(product) as server:
        engine = engine_class(server.url)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        asyncio.run_coroutine_threadsafe(version(engine), loop).result(10)
        await version(engine)
        await engine.close()
        assert not engine._clients.by_loop
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def test_sync_search_works_in_a_running_loop_and_after_close(tmp_path):
    """As in a notebook, whose cells run in a loop."""
    request = SearchRequest(index="none", query_text="tea", retrievers=("bm25",))

    async def cell():
        search = SyncHybridSearch(f"embedded:{tmp_path}")
        for _ in range(2):
            with pytest.raises(Exception, match="none"):
                search.search(request)
            search.close()

    asyncio.run(cell())
