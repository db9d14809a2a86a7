"""Features when a server answers only in part."""

import pytest
from aiohttp import web

from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from hybridrank.connector.errors import EngineError
from hybridrank.connector.types import DocumentKey
from hybridrank.ltr_features import FeatureQuery
from tests.contracts.passages import feature_set

FEATURES = feature_set(price={"kind": "number", "field": "price"})
TEA = DocumentKey("docs", "tea")
HIT = {"_index": "docs", "_id": "tea", "_score": 0.0, "fields": {"price": [3]}}
HEADERS = {"X-Elastic-Product": "Elasticsearch"}  # without it the official client refuses the server
FAILURE = {"shard": 1, "index": "docs", "node": "n", "reason": {"type": "x", "reason": "node left"}}


@pytest.fixture(params=[OpenSearchEngine, ElasticsearchEngine])
async def answering(request):
    """Returns an engine whose every search is answered with the body that the test gives."""
    app = web.Application()
    answers: list[dict] = []

    async def mapping(_):
        return web.json_response({"docs": {"mappings": {"properties": {"price": {"type": "long"}}}}}, headers=HEADERS)

    async def search(_):
        return web.json_response(answers[-1], headers=HEADERS)

    app.router.add_get("/docs/_mapping", mapping)
    app.router.add_post("/docs/_search", search)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    engine = request.param(f"http://127.0.0.1:{runner.addresses[0][1]}")

    def answer(**more):
        answers.append({"took": 1, "timed_out": False, "hits": {"hits": [HIT]}} | more)
        return engine

    yield answer
    await engine.close()
    await runner.cleanup()


async def test_a_whole_answer_is_given_back(answering):
    engine = answering(_shards={"total": 2, "successful": 2, "failed": 0})
    assert (await engine.extract("docs", FEATURES, FeatureQuery("tea"), [TEA]))["hits"]["hits"] == [HIT]


@pytest.mark.parametrize(
    ("lack", "said"),
    [
        (
            {"_shards": {"total": 2, "successful": 1, "failed": 1, "failures": [FAILURE]}},
            r"1 of 2 shards failed \(docs\): node left",
        ),
        ({"_shards": {"total": 2, "successful": 2, "failed": 0}, "timed_out": True}, "time limit"),
    ],
)
async def test_a_failed_shard_is_not_read_as_missing_values(answering, lack, said):
    with pytest.raises(EngineError, match=said) as caught:
        await answering(**lack).extract("docs", FEATURES, FeatureQuery("tea"), [TEA])
    assert caught.value.reason == "partial"
