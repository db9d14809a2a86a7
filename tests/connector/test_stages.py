"""Rescoring in several stages: by texts and by features, each within its window, each left out on its own."""

import asyncio
import math
from dataclasses import replace

import pytest

from hybridrank.connector import FeatureRescore, HybridSearch, Rescore, SearchRequest
from hybridrank.connector.errors import EngineError, SidecarOverloaded, SidecarTimeout
from hybridrank.ltr_features import FeatureSet
from tests.doubles import BrokenSidecar, HalfSidecar, RecordingEngine, WordSidecar
from tests.evaluation.menu import menu_engine

FEATURES = FeatureSet.model_validate(
    {
        "name": "menu",
        "features": [
            {"name": "price", "kind": "number", "field": "price"},
            {"name": "words", "kind": "rerank_score", "model": "words"},
            {"name": "title", "kind": "bm25", "fields": ["title"]},
        ],
    }
)


class PriceSidecar(WordSidecar):
    """A forest of one leaf: the row's first value, below all others where it is not known. Keeps the rows."""

    def __init__(self) -> None:
        self.asked: list[dict] = []

    async def rescore_features(self, rows, **asked):
        self.asked.append({"rows": rows, **asked})
        scores = await super().rescore_features([row[:1] for row in rows], **asked)
        return tuple(
            replace(score, score=-1.0) if math.isnan(row[0]) else score for score, row in zip(scores, rows, strict=True)
        )


class SlowEngine:
    """A real engine whose features take their time."""

    def __init__(self, inner) -> None:
        self.inner = inner

    async def retrieve(self, index, queries):
        return await self.inner.retrieve(index, queries)

    async def extract(self, *asked):
        await asyncio.sleep(30)


@pytest.fixture
async def engine(tmp_path):
    return await menu_engine(tmp_path)


def request(*stages, **changes) -> SearchRequest:
    return SearchRequest(**{"index": "menu", "query_text": "hot tea with milk", "rescore": stages} | changes)


def ids(response) -> list[str]:
    return [hit.doc_id for hit in response.hits]


def by_words(**changes) -> Rescore:
    return Rescore(**{"model": "words", "weight": 1.0} | changes)


def by_price(**changes) -> FeatureRescore:
    return FeatureRescore(**{"model": "price", "feature_set": FEATURES} | changes)


async def test_a_feature_stage_calls_engine_and_sidecar_once_each(engine):
    recording, sidecar = RecordingEngine(engine), PriceSidecar()
    response = await HybridSearch(recording, sidecar).search(request(by_price()))
    assert response.degraded == ()
    fused = await HybridSearch(engine, sidecar).search(request())
    assert recording.extracted == [tuple(hit.key for hit in fused.hits)]
    (asked,) = sidecar.asked
    assert (asked["feature_set_digest"], asked["model"]) == (FEATURES.digest, "price")
    assert len(asked["rows"]) == len(fused.hits)
    assert 0 < asked["timeout_s"] < 0.3  # what the engine left of it
    prices = [hit.source.get("price", -1) for hit in response.hits]
    assert prices == sorted(prices, reverse=True)
    assert [hit.score for hit in response.hits] == prices
    assert all(hit.features == {} for hit in response.hits)


@pytest.mark.parametrize(
    ("recommended", "named", "used"), [(None, None, 0.5), (0.2, None, 0.2), (0.2, 0.7, 0.7), (1.0, None, 1.0)]
)
async def test_a_stage_without_a_weight_uses_that_of_the_model(engine, recommended, named, used):
    sidecar = WordSidecar()
    expected = await HybridSearch(engine, sidecar).search(request(by_words(weight=used)))
    sidecar.blend_weight = recommended
    found = await HybridSearch(engine, sidecar).search(request(by_words(weight=named)))
    assert found.degraded == expected.degraded == ()
    assert [(hit.doc_id, hit.score) for hit in found.hits] == [(hit.doc_id, hit.score) for hit in expected.hits]


async def test_scores_stay_if_nobody_describes_their_model(engine):
    class Silent(WordSidecar):
        async def model(self, name, *, timeout_s):
            raise SidecarTimeout("too late")

    expected = await HybridSearch(engine, WordSidecar()).search(request(by_words(weight=0.5)))
    found = await HybridSearch(engine, Silent()).search(request(by_words(weight=None)))
    assert [(hit.doc_id, hit.score) for hit in found.hits] == [(hit.doc_id, hit.score) for hit in expected.hits]
    (lack,) = found.degraded
    assert (lack.stage, lack.reason) == ("rescore", "timeout")
    assert "blended half and half" in lack.detail


async def test_features_come_with_the_hits_when_asked_for(engine):
    search = HybridSearch(engine, PriceSidecar())
    response = await search.search(request(by_price(with_features=True, rescore_window_size=2)))
    assert [set(hit.features) for hit in response.hits[:2]] == [{"price", "words", "title"}] * 2
    assert all(hit.features["price"] == hit.source["price"] for hit in response.hits[:2])
    assert all(hit.features == {} for hit in response.hits[2:])


async def test_a_later_stage_sees_what_an_earlier_one_said(engine):
    sidecar = PriceSidecar()
    response = await HybridSearch(engine, sidecar).search(request(by_words(), by_price(with_features=True)))
    assert response.degraded == ()
    assert ids(response)[0] == "soup"  # the dearest
    for hit in response.hits:
        assert set(hit.rerank_scores) == {"words", "price"}
        assert hit.features["words"] == hit.rerank_scores["words"]
        assert hit.rerank_score == hit.rerank_scores["price"] == hit.score


async def test_each_stage_stays_inside_its_own_window(engine):
    """The first puts the two best of three in front, the second turns those two around; nothing else moves."""
    search = HybridSearch(engine, PriceSidecar())
    fused = ids(await search.search(request()))
    first = ids(await search.search(request(by_words(rescore_window_size=3))))
    both = await search.search(request(by_words(rescore_window_size=3), by_price(rescore_window_size=2)))
    assert (set(first[:3]), first[3:]) == (set(fused[:3]), fused[3:])
    assert (set(ids(both)[:2]), ids(both)[2:]) == (set(first[:2]), first[2:])
    assert [hit.rank for hit in both.hits] == [1, 2, 3, 4, 5]
    assert [len(hit.rerank_scores) for hit in both.hits] == [2, 2, 1, 0, 0]


async def test_a_stage_never_reaches_below_what_the_one_before_scored(engine):
    """Below are scores on another scale; a larger window would mix them."""
    search = HybridSearch(engine, PriceSidecar())
    both = await search.search(request(by_words(rescore_window_size=2), by_price(rescore_window_size=5)))
    assert [len(hit.rerank_scores) for hit in both.hits] == [2, 2, 0, 0, 0]
    partial = await HybridSearch(engine, HalfSidecar(3)).search(
        request(by_words(model="half"), by_words(model="again", rescore_window_size=5))
    )
    assert [len(hit.rerank_scores) for hit in partial.hits] == [2, 2, 2, 0, 0]
    assert [(each.stage, each.reason) for each in partial.degraded] == [("rescore:half", "partial")]


async def test_a_stage_blends_with_the_score_that_the_one_before_left(engine):
    search = HybridSearch(engine, PriceSidecar())
    first = await search.search(request(by_words(weight=1.0, rescore_window_size=2)))
    both = await search.search(request(by_words(weight=1.0, rescore_window_size=2), by_price(weight=0.01)))
    assert ids(both) == ids(first)  # one per cent of a z-score turns nothing around
    agree = first.hits[0].source["price"] > first.hits[1].source["price"]
    assert [hit.score for hit in both.hits[:2]] == [
        pytest.approx(0.99 + (0.01 if agree else -0.01)),
        pytest.approx(-0.99 - (0.01 if agree else -0.01)),
    ]


async def test_a_failed_stage_leaves_the_others(engine):
    broken = BrokenSidecar(SidecarOverloaded("full"), rescoring=True)
    response = await HybridSearch(engine, broken).search(request(by_words(), by_price()))
    alone = await HybridSearch(engine, broken).search(request(by_price()))
    assert [(each.stage, each.reason, each.detail) for each in response.degraded] == [
        ("rescore:words", "overloaded", "full")
    ]
    assert response.hits == alone.hits
    assert all(hit.rerank_score is not None for hit in response.hits)


async def test_an_index_without_the_field_leaves_the_fused_order(engine):
    misspelt = FeatureSet.model_validate(
        {"name": "menu", "features": [{"name": "price", "kind": "number", "field": "prize"}]}
    )
    response = await HybridSearch(engine, PriceSidecar()).search(request(by_price(feature_set=misspelt)))
    assert ids(response) == ids(await HybridSearch(engine, PriceSidecar()).search(request()))
    (lack,) = response.degraded
    assert (lack.stage, lack.reason) == ("rescore", "bad_field")
    assert "feature 'price'" in lack.detail
    assert "'prize'" in lack.detail


async def test_features_that_take_too_long_leave_the_fused_order(engine):
    response = await HybridSearch(SlowEngine(engine), PriceSidecar()).search(request(by_price(timeout_s=0.05)))
    assert ids(response) == ids(await HybridSearch(engine, PriceSidecar()).search(request()))
    assert [(each.stage, each.reason) for each in response.degraded] == [("rescore", "timeout")]


async def test_the_time_of_the_whole_search_bounds_every_stage(engine):
    slow = HybridSearch(SlowEngine(engine), WordSidecar())
    response = await slow.search(request(by_price(timeout_s=60), by_words(), timeout_s=0.5))
    assert [(each.stage, each.reason) for each in response.degraded] == [
        ("rescore:price", "timeout"),
        ("rescore:words", "timeout"),
    ]


async def test_features_without_a_model_change_no_order(engine):
    bystander = FeatureRescore(feature_set=FEATURES, with_features=True)
    response = await HybridSearch(engine).search(request(bystander, retrievers=("bm25",)))
    fused = await HybridSearch(engine).search(request(retrievers=("bm25",)))
    assert [replace(hit, features={}) for hit in response.hits] == list(fused.hits)
    assert all(
        hit.features["price"] == hit.source.get("price", pytest.approx(math.nan, nan_ok=True)) for hit in response.hits
    )


async def test_a_feature_that_compares_vectors_has_the_query_encoded(engine):
    cosine = FeatureSet.model_validate(
        {"name": "menu", "features": [{"name": "cosine", "kind": "vector_similarity", "field": "vector"}]}
    )
    stage = FeatureRescore(feature_set=cosine, with_features=True)
    response = await HybridSearch(engine, WordSidecar()).search(request(stage, retrievers=("bm25",)))
    assert {hit.doc_id: hit.features["cosine"] for hit in response.hits}["chai"] > 0.5
    with pytest.raises(ValueError, match="query_vector"):
        await HybridSearch(engine).search(request(stage, retrievers=("bm25",)))


async def test_request_features_of_the_caller_reach_the_row(engine):
    personal = FeatureSet.model_validate(
        {"name": "menu", "features": [{"name": "thirst", "kind": "request", "key": "thirst"}]}
    )
    sidecar = PriceSidecar()
    stage = by_price(feature_set=personal, request={"thirst": 0.75})
    await HybridSearch(engine, sidecar).search(request(stage))
    assert {row for asked in sidecar.asked for row in asked["rows"]} == {(0.75,)}


async def test_a_stage_without_a_sidecar_says_so(engine):
    with pytest.raises(ValueError, match="'price' needs a sidecar"):
        await HybridSearch(engine).search(request(by_price(), retrievers=("bm25",)))


@pytest.mark.parametrize("error", [SidecarTimeout("spent"), EngineError("no", reason="partial")])
async def test_hits_have_features_even_without_scores_of_the_model(engine, error):
    class Forestless(WordSidecar):
        async def rescore_features(self, rows, **asked):
            raise error

    response = await HybridSearch(engine, Forestless()).search(request(by_price(with_features=True)))
    assert [each.reason for each in response.degraded] == [error.reason]
    assert all(set(hit.features) == set(FEATURES.names) for hit in response.hits)
