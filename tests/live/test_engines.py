"""The engine contract on real servers, and what only a server can show."""

import uuid
from dataclasses import replace

import pytest

from hybridrank import index_templates
from hybridrank.connector import HybridSearch, Rrf, SearchRequest, connect_engine
from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from hybridrank.connector.engines.opensearch.dialect import OPENSEARCH
from hybridrank.connector.errors import EngineError, EngineTimeout, EngineUnreachable
from tests.contracts.engine import EngineContract
from tests.contracts.filters import FilterContract
from tests.contracts.index_names import IndexNameContract
from tests.contracts.passages import DEFINITION, PASSAGES, bm25, ids, knn


class ServerContract(EngineContract, FilterContract, IndexNameContract):
    @pytest.fixture
    def index(self):
        return f"test-{uuid.uuid4().hex[:12]}"

    async def test_the_address_alone_tells_which_engine_it_is(self, engine):
        found = await connect_engine(engine.url)
        try:
            assert type(found) is type(engine)
        finally:
            await found.close()

    async def test_the_template_on_the_server_is_ours(self, filled, index):
        """A template that somebody changed shows in the plan, and creating again puts it right."""
        body = await filled.template(index)
        body["template"]["mappings"]["properties"].pop("token_vectors")
        await filled._send("PUT", f"/_index_template/hybridrank-{index}", body)
        plan = await filled.plan_index(index, DEFINITION)
        assert plan == ("+template.mappings.properties.token_vectors.type = binary",)
        await filled.create_index(index, DEFINITION)
        assert await filled.plan_index(index, DEFINITION) == ()

    async def test_documents_of_other_writers_are_ranked_without_sources(self, filled, index):
        """They lack the column that holds their id."""
        await filled.request("PUT", f"/{index}/_doc/theirs?refresh=true", {"title": "Tea, tea and tea", "text": "Tea."})
        query = replace(bm25("tea"), with_sources=False)
        for _ in range(2):  # the second search knows
            found = await self.one(filled, index, query)
            assert found == await self.one(filled, index, bm25("tea"))
            assert "theirs" in ids(found)
        await filled.index_documents(index, [replace(PASSAGES[0], doc_id="late")])
        stored = await filled.request("GET", f"/{index}/_doc/late")
        assert stored["_source"][index_templates.ID_FIELD] == "late"  # what we write has its column all the same

    async def test_a_ranking_without_sources_reads_ids_by_column(self, filled, index, monkeypatch):
        asked = []
        sent = type(filled)._msearch
        monkeypatch.setattr(type(filled), "_msearch", lambda self, lines: asked.extend(lines) or sent(self, lines))
        await self.one(filled, index, replace(bm25("tea"), with_sources=False))
        (_, body) = asked
        assert (body["_source"], body["stored_fields"]) == (False, "_none_")

    async def test_an_alias_is_searched_like_an_index(self, filled, index):
        alias = f"{index}-alias"
        await filled._send("POST", "/_aliases", {"actions": [{"add": {"index": index, "alias": alias}}]})
        assert ids(await self.one(filled, alias, bm25("soup"))) == ["soup"]

    async def test_a_search_that_is_cut_short_leaves_the_engine_usable(self, filled, index):
        """No server answers within a tenth of a millisecond; the request is cancelled on its way."""
        request = SearchRequest(index=index, query_text="tea", retrievers=("bm25",))
        search = HybridSearch(filled)
        for _ in range(20):
            with pytest.raises(EngineTimeout, match="before the engine answered"):
                await search.search(request.model_copy(update={"timeout_s": 0.0001}))
        assert {hit.doc_id for hit in (await search.search(request)).hits} == {"tea", "chai", "note"}

    async def test_shards_change_neither_the_window_nor_the_order_of_ties(self, engine):
        """kNN's k counts a shard: the window is cut once, over all shards."""
        index = f"test-{uuid.uuid4().hex[:12]}"
        await engine._send("PUT", f"/_index_template/hybridrank-{index}", await _three_shards(engine, index))
        await engine._send("PUT", f"/{index}", {})
        try:
            await engine.index_documents(index, PASSAGES)
            await engine.refresh(index)
            assert ids(await self.one(engine, index, knn(1.0, 0.1, 0.0, window=2))) == ["tea", "chai"]
        finally:
            await engine.delete_index(index)

    @pytest.mark.parametrize(
        ("closed", "remedy"),
        [
            ("write", "index.blocks.write"),
            ("read_only", "index.blocks.read_only"),
            ("read_only_allow_delete", "free some"),
            ("", "_open"),
        ],
    )
    async def test_an_index_that_takes_no_documents_says_what_to_do(self, filled, index, closed, remedy):
        if closed:
            await filled.request("PUT", f"/{index}/_settings", {f"index.blocks.{closed}": True})
        else:
            await filled.request("POST", f"/{index}/_close")
        try:
            for attempt in (filled.check_writable(index), filled.index_documents(index, PASSAGES)):
                with pytest.raises(EngineError, match=f"takes no documents.*{remedy}") as refused:
                    await attempt
                assert refused.value.reason == "not_writable"
        finally:
            if closed:
                await filled.request("PUT", f"/{index}/_settings", {f"index.blocks.{closed}": None})

    async def test_a_stopped_server_is_named(self, engine):
        with pytest.raises(EngineUnreachable, match=r"127\.0\.0\.1:1\b"):
            await connect_engine("http://127.0.0.1:1")
        gone = type(engine)("http://127.0.0.1:1")
        try:
            with pytest.raises(EngineUnreachable, match=r"127\.0\.0\.1:1\b"):
                await gone.retrieve("any", {"bm25": bm25("tea")})
        finally:
            await gone.close()

    async def test_a_page_of_a_hybrid_search(self, filled, index):
        search = HybridSearch(filled)
        request = SearchRequest(index=index, query_text="hot water", query_vector=(0.0, 1.0, 0.0), size=2)
        first = await search.search(request)
        second = await search.search(request.model_copy(update={"from_": 2}))
        everything = await search.search(request.model_copy(update={"size": 10}))
        assert [*first.hits, *second.hits] == [*everything.hits[:4]]
        assert first.hits[0].doc_id == "soup"
        assert (await search.search(request.model_copy(update={"from_": 50}))).hits == ()
        assert first.degraded == ()


async def _three_shards(engine, index: str) -> dict:
    body = index_templates.render(engine.name, index, await engine._fitting(DEFINITION))
    body["template"]["settings"]["index"]["number_of_shards"] = 3
    return body


class TestOpenSearch(ServerContract):
    @pytest.fixture
    async def engine(self, opensearch_url):
        engine = OpenSearchEngine(opensearch_url)
        yield engine
        await engine.close()

    async def test_the_index_has_english_analysis(self, engine):
        assert "english" in (await engine.info()).capabilities

    async def test_the_embedded_engine_ranks_as_this_server_does(self, filled, index, tmp_path):
        """Congruence: the same documents, the same scores."""
        embedded = EmbeddedEngine(tmp_path)
        await embedded.create_index(index, DEFINITION)
        await embedded.index_documents(index, PASSAGES)
        for query in (bm25("green tea with milk"), bm25("a note on hot water and teas"), knn(0.3, 0.5, 0.2)):
            here, there = await self.one(embedded, index, query), await self.one(filled, index, query)
            assert {each.doc_id: pytest.approx(each.score, rel=1e-5) for each in here} == {
                each.doc_id: each.score for each in there
            }

    async def test_our_rrf_is_the_servers(self, filled, index):
        """Oracle: a hybrid query through OpenSearch's own score-ranker-processor gives our scores; ties are open."""
        processor = {"score-ranker-processor": {"combination": {"technique": "rrf", "rank_constant": 60}}}
        text, vector = "hot tea", (0.6, 0.8, 0.1)
        body = {
            "query": {"hybrid": {"queries": [each.body(OPENSEARCH)["query"] for each in (bm25(text), knn(*vector))]}},
            "search_pipeline": {"phase_results_processors": [processor]},
        }
        theirs = (await filled._send("POST", f"/{index}/_search", body))["hits"]["hits"]
        request = SearchRequest(index=index, query_text=text, query_vector=vector, fusion=Rrf())
        ours = (await HybridSearch(filled).search(request)).hits
        assert len(ours) == len(PASSAGES)
        assert {hit["_id"]: hit["_score"] for hit in theirs} == {
            hit.doc_id: pytest.approx(hit.fused_score, abs=1e-6) for hit in ours
        }


class TestElasticsearch(ServerContract):
    @pytest.fixture
    async def engine(self, elasticsearch_url):
        engine = ElasticsearchEngine(elasticsearch_url)
        yield engine
        await engine.close()

    async def test_the_engines_own_error_is_passed_on(self, filled):
        with pytest.raises(EngineError, match="HTTP 400"):
            await filled._send("POST", "/_analyze", {"analyzer": "no-such-analyzer", "text": "x"})
