"""Rescoring by a query on real servers: the same scores, and the same order, as the server's own body `rescore`."""

import uuid

import pytest

from hybridrank import index_templates
from hybridrank.connector import HybridSearch, QueryRescore, SearchRequest, connect_engine
from tests.contracts.passages import DEFINITION
from tests.live.recording_proxy import recording_proxy
from tests.live.test_lambdamart import QUERIES, documents

COUNT = 120  # and so many are rescored: which of several equal scores a smaller window holds is left open


@pytest.fixture
async def engine(engine_url):
    """Behind a proxy that keeps what is sent, `engine.proxy`."""
    async with recording_proxy(engine_url) as proxy:
        engine = await connect_engine(proxy.url)
        engine.proxy = proxy
        yield engine
        await engine.close()


@pytest.fixture
async def index(engine):
    """Of one shard: the server's own window is one a shard."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    body = index_templates.render(engine.name, name, await engine._fitting(DEFINITION))
    await engine.request("PUT", f"/_index_template/hybridrank-{name}", body)
    await engine.request("PUT", f"/{name}", {})
    assert (await engine.index_documents(name, documents(COUNT))).rejected == ()
    await engine.refresh(name)
    yield name
    await engine.delete_index(name)


async def test_the_stage_scores_as_the_servers_own_rescore_does(engine, index):
    matched = 0
    near = {"name": "near", "kind": "phrase", "field": "text", "slop": 3}
    for query_text in QUERIES:
        engine.proxy.requests.clear()
        request = SearchRequest(
            index=index,
            query_text=query_text,
            retrievers=("bm25",),
            rescore=QueryRescore(by=near, rescore_window_size=COUNT, weight=1, timeout_s=30),
            size=COUNT,
        )
        found = await HybridSearch(engine).search(request)
        assert found.degraded == ()
        searches = [
            body for _, path, (*_, body) in filter(lambda each: each[2], engine.proxy.requests) if "search" in path
        ]
        assert len(searches) == 2

        first_stage = searches[0]["query"]
        own = {
            "window_size": COUNT,
            "query": {"rescore_query": {"match_phrase": {"text": {"query": query_text, "slop": 3}}}},
        }
        own["query"] |= {"query_weight": 0, "rescore_query_weight": 1}
        body = {"query": first_stage, "rescore": own, "size": COUNT, "_source": False}
        hits = (await engine.request("POST", f"/{index}/_search", body))["hits"]["hits"]
        theirs = {hit["_id"]: hit["_score"] for hit in hits}
        ours = {hit.doc_id: hit.rerank_scores["near"] for hit in found.hits}
        assert ours == pytest.approx(theirs, rel=1e-6)
        assert [hit.score for hit in found.hits] == pytest.approx(sorted(theirs.values(), reverse=True), rel=1e-6)
        matched += sum(score > 0 for score in theirs.values())
    assert matched > len(QUERIES)
