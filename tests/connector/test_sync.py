from concurrent.futures import ThreadPoolExecutor

import pytest

from hybridrank.connector import EngineUnreachable, SearchRequest, SyncHybridSearch
from hybridrank.connector.engines.embedded import EmbeddedEngine
from tests.contracts.passages import DEFINITION, PASSAGES


@pytest.fixture
async def address(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    await engine.create_index("menu", DEFINITION)
    await engine.index_documents("menu", PASSAGES)
    await engine.refresh("menu")
    return f"embedded:{tmp_path}"


REQUEST = SearchRequest(index="menu", query_text="green tea", query_vector=(1.0, 0.0, 0.0))


def test_threads_share_one_search(address):
    with SyncHybridSearch(address) as search, ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(search.search, [REQUEST] * 20))
    assert len({tuple(hit.doc_id for hit in answer.hits) for answer in answers}) == 1
    assert answers[0].hits[0].doc_id == "tea"


def test_an_engine_that_is_not_there_is_named_at_once():
    with pytest.raises(EngineUnreachable, match=r"127\.0\.0\.1:1"):
        SyncHybridSearch("http://127.0.0.1:1")


@pytest.mark.parametrize("address", ["localhost:9200", "ftp://host", "elastic"])
def test_an_address_of_another_form_is_refused(address):
    with pytest.raises(ValueError, match="neither embedded:PATH nor http"):
        SyncHybridSearch(address)
