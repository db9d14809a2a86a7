"""Names that users give never change the path of a request to a server."""

from urllib.parse import unquote

import pytest
from pydantic import ValidationError

from hybridrank.connector import EngineError, SearchRequest
from hybridrank.connector.admin.aliases import plan_swap
from hybridrank.connector.admin.similarity import bm25_settings
from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from tests.connector.fake_engine import ELASTIC, Reply, fake_engine
from tests.contracts.index_names import NOT_SEARCHED
from tests.contracts.passages import bm25

CLASSES = pytest.mark.parametrize("engine_class", [OpenSearchEngine, ElasticsearchEngine])


async def asked_of(engine_class, *calls) -> list[list[str]]:
    """The parts of the paths that failing calls ask a server for, which knows no index."""
    with fake_engine(lambda asked: Reply(404, {"error": "no"}, ELASTIC)) as server:
        engine = engine_class(server.url)
        try:
            for call in calls:
                with pytest.raises(EngineError):
                    await call(engine)
        finally:
            await engine.close()
    return [[unquote(part) for part in each.path.split("/")] for each in server.asked]


@CLASSES
@pytest.mark.parametrize(
    "name",
    [
        *["a%2f..%2f_cluster", "a%3fb", "a&b=c", "a+b", "日本", "shop-*,-shop-old", "europe:shop,*:shop", "_all"],
        *["<logs-{now/d}>", "<logs-{now/M-1M{yyyy.MM|+12:00}}>,-<logs-{now/d}>", ".ds-logs-000001", "logs::failures"],
    ],
)
async def test_a_name_is_one_part_of_the_path(engine_class, name):
    SearchRequest(index=name, query_text="tea")
    asked = await asked_of(engine_class, lambda engine: engine.retrieve(name, {"bm25": bm25("tea")}))
    assert asked == [["", name, "_mapping"]]


@CLASSES
@pytest.mark.parametrize("name", NOT_SEARCHED, ids=ascii)
async def test_a_name_that_would_change_the_path_is_not_sent(engine_class, name):
    asked = await asked_of(
        engine_class,
        lambda engine: engine.retrieve(name, {"bm25": bm25("tea")}),
        lambda engine: engine.check_writable(name),
        lambda engine: engine.delete_index(name),
        lambda engine: bm25_settings(engine, name),
        lambda engine: plan_swap(engine, "shop", name),
    )
    assert asked == []


@pytest.mark.parametrize("name", NOT_SEARCHED, ids=ascii)
def test_a_request_refuses_it_by_the_name_of_the_field(name):
    with pytest.raises(ValidationError, match="index") as refused:
        SearchRequest(index=name, query_text="tea")
    assert [each["loc"] for each in refused.value.errors()] == [("index",)]
