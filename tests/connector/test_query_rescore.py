"""A stage that asks the engine for one more query's scores over the window."""

import pytest
from pydantic import ValidationError

from hybridrank.connector import HybridSearch, QueryRescore, Rescore, SearchRequest
from hybridrank.connector.errors import EngineError
from tests.doubles import RecordingEngine, WordSidecar
from tests.evaluation.menu import menu_engine

PHRASE = {"name": "phrase", "kind": "phrase", "field": "text"}
TITLE = {"name": "title", "kind": "bm25", "fields": ["title"]}


class LameEngine(RecordingEngine):
    """Finds, and does not score again."""

    async def extract(self, *_asked):
        raise EngineError("a shard failed", reason="partial")


@pytest.fixture
async def engine(tmp_path):
    return await menu_engine(tmp_path)


def stage(**asked) -> QueryRescore:
    """With all the time that a busy machine needs."""
    return QueryRescore(timeout_s=30, **asked)


def request(query_text: str, *stages, **changes) -> SearchRequest:
    asked = {"index": "menu", "query_text": query_text, "retrievers": ("bm25",), "rescore": stages}
    return SearchRequest(**asked | changes)


async def test_better_matches_rank_first_and_non_matches_score_zero(engine):
    title = stage(by=TITLE, weight=1)
    found = await HybridSearch(engine).search(request("tea milk", title))
    scores = [hit.rerank_scores["title"] for hit in found.hits]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0
    assert scores[-1] == 0  # a document of the window whose title has none of the words
    assert [hit.score for hit in found.hits] == scores == [hit.rerank_score for hit in found.hits]
    assert found.degraded == ()


async def test_a_query_that_nothing_matches_changes_no_order(engine):
    plain = await HybridSearch(engine).search(request("hot tea with milk"))
    title = stage(by=PHRASE | {"field": "title"})
    found = await HybridSearch(engine).search(request("hot tea with milk", title))
    assert [hit.doc_id for hit in found.hits] == [hit.doc_id for hit in plain.hits]
    assert {hit.rerank_scores["phrase"] for hit in found.hits} == {0.0}


async def test_the_window_is_asked_for_in_one_request(engine):
    recording = RecordingEngine(engine)
    title = stage(by=TITLE, rescore_window_size=2)
    found = await HybridSearch(recording).search(request("tea milk", title))
    fused = sorted(found.hits, key=lambda hit: hit.fused_rank)
    assert recording.extracted == [tuple(hit.key for hit in fused[:2])]
    assert ["title" in hit.rerank_scores for hit in found.hits[:3]] == [True, True, False]


async def test_query_rescore_is_a_stage_like_others(engine):
    stages = (stage(by=TITLE, rescore_window_size=2), Rescore(model="words", rescore_window_size=10, timeout_s=30))
    found = await HybridSearch(engine, WordSidecar()).search(request("tea milk", *stages))
    assert [sorted(hit.rerank_scores) for hit in found.hits[:3]] == [["title", "words"]] * 2 + [[]]


async def test_a_failed_query_rescore_keeps_the_order(engine):
    plain = await HybridSearch(engine).search(request("tea milk"))
    found = await HybridSearch(LameEngine(engine)).search(request("tea milk", stage(by=TITLE)))
    assert [hit.doc_id for hit in found.hits] == [hit.doc_id for hit in plain.hits]
    assert [(each.stage, each.reason) for each in found.degraded] == [("rescore", "partial")]


def test_only_features_that_are_queries_rescore():
    with pytest.raises(ValidationError, match="phrase"):
        QueryRescore(by={"name": "price", "kind": "number", "field": "price"})
