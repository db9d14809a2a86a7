"""The path of a request, whole and with a part missing."""

import pytest

from hybridrank.connector import HybridSearch, Rescore, Rrf, SearchFailed, SearchRequest, Term, TotalHits
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.errors import (
    BadScores,
    EngineError,
    EngineTimeout,
    IndexMissing,
    SidecarOverloaded,
    SidecarTimeout,
)
from hybridrank.connector.queries.retrievers import Bm25Query, KnnQuery
from hybridrank.connector.types import Document
from hybridrank.index_templates import HEAVY_FIELDS, IndexDefinition
from hybridrank.index_templates.sparse import SPARSE
from tests.contracts.passages import PASSAGES
from tests.doubles import WORDS, BrokenSidecar, FailingRetriever, HalfSidecar, RecordingEngine, WordSidecar


@pytest.fixture
async def engine(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    await engine.create_index("menu", IndexDefinition(dimensions=len(WORDS)))
    texts = [f"{each.source['title']} {each.source['text']}" for each in PASSAGES]
    encodings = await WordSidecar().encode(texts, model="", kind="document", timeout_s=1)
    documents = [
        Document(each.doc_id, each.source, encoding.vector) for each, encoding in zip(PASSAGES, encodings, strict=True)
    ]
    await engine.index_documents("menu", documents)
    await engine.refresh("menu")
    return engine


def request(**changes) -> SearchRequest:
    return SearchRequest(**{"index": "menu", "query_text": "hot tea with milk"} | changes)


def ids(response) -> list[str]:
    return [hit.doc_id for hit in response.hits]


async def test_every_stage_leaves_its_mark_on_a_hit(engine):
    response = await HybridSearch(engine, WordSidecar()).search(request(rescore=Rescore(model="words", weight=1)))
    assert response.degraded == ()
    best = response.hits[0]
    assert best.doc_id == "chai"
    assert best.rerank_score == 3.0  # tea, with, milk; "hot" is not there
    assert best.score == best.rerank_score
    assert set(best.retrievers) == {"bm25", "knn"}
    assert best.fused_score == pytest.approx(sum(1 / (60 + each.rank) for each in best.retrievers.values()))
    assert best.source["kind"] == "drink"
    assert "content_digest" not in best.source
    assert "vector" not in best.source
    assert response.timings.total_ms >= response.timings.retrieve_ms > 0


async def test_bm25_and_knn_share_one_request_filter_and_window(engine):
    recording = RecordingEngine(engine)
    await HybridSearch(recording, WordSidecar()).search(request(filters=(Term("kind", "drink"),), rank_window_size=30))
    (queries,) = recording.queries
    filters = (Term("kind", "drink"),)
    vector = (1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    assert queries == {
        "bm25": Bm25Query(
            "hot tea with milk",
            {},
            rank_window_size=30,
            filters=filters,
            source_excludes=(*HEAVY_FIELDS, SPARSE),
            with_sources=False,
            track_total_hits=10_000,
        ),
        "knn": KnnQuery(
            vector,
            "vector",
            rank_window_size=30,
            num_candidates=60,
            filters=filters,
            source_excludes=(*HEAVY_FIELDS, SPARSE),
            with_sources=False,
        ),
    }


async def test_pages_are_cut_from_one_ranking(engine):
    search = HybridSearch(engine, WordSidecar())
    whole = await search.search(request(rescore=Rescore(model="words"), size=10))
    pages = [
        await search.search(request(rescore=Rescore(model="words"), from_=start, size=2)) for start in (0, 2, 4, 6)
    ]
    assert [hit for page in pages for hit in page.hits] == list(whole.hits)
    assert pages[-1].hits == ()
    assert pages[-1].total_candidates == len(whole.hits)


@pytest.mark.parametrize("retrievers", [("bm25",), ("bm25", "knn")])
async def test_the_total_does_not_depend_on_page_and_window(engine, retrievers):
    drinks = request(retrievers=retrievers, query_text="tea", filters=(Term("kind", "drink"),), rank_window_size=1)
    for page in (drinks, drinks.model_copy(update={"from_": 5, "size": 1})):
        response = await HybridSearch(engine, WordSidecar()).search(page)
        assert response.total == TotalHits(2, "eq")


async def test_one_round_trip_ranks_and_counts(engine):
    recording = RecordingEngine(engine)
    response = await HybridSearch(recording, WordSidecar()).search(request(track_total_hits=True))
    assert (len(recording.queries), response.total.relation) == (1, "eq")


@pytest.mark.parametrize("changes", [{"retrievers": ("knn",)}, {"track_total_hits": False}], ids=str)
async def test_there_is_no_total_where_nothing_counts(engine, changes):
    assert (await HybridSearch(engine, WordSidecar()).search(request(**changes))).total is None


async def test_a_lexical_search_for_want_of_a_vector_has_a_total(engine):
    broken = BrokenSidecar(SidecarTimeout("too slow"), encoding=True)
    response = await HybridSearch(engine, broken).search(request(retrievers=("knn",), query_text="tea"))
    assert response.total == TotalHits(3, "eq")


async def test_the_rescore_window_is_not_the_page(engine):
    sidecar = WordSidecar()
    small = await HybridSearch(engine, sidecar).search(request(rescore=Rescore(model="words", weight=1), size=1))
    large = await HybridSearch(engine, sidecar).search(request(rescore=Rescore(model="words", weight=1), size=5))
    assert ids(small) == ids(large)[:1]


async def test_final_scores_never_rise_down_the_list(engine):
    """Below the window, `score` is on the scale of the fusion."""
    stage = Rescore(model="words", rescore_window_size=2)
    whole = await HybridSearch(engine, WordSidecar()).search(request(rescore=stage))
    finals = [hit.final_score for hit in whole.hits]
    assert len(finals) > 3
    assert finals == sorted(finals, reverse=True)
    scores = [hit.score for hit in whole.hits]
    assert scores != sorted(scores, reverse=True)
    assert [hit.score for hit in whole.hits[2:]] == [hit.fused_score for hit in whole.hits[2:]]
    page = await HybridSearch(engine, WordSidecar()).search(request(rescore=stage, from_=1, size=2))
    assert [hit.final_score for hit in page.hits] == finals[1:3]


async def test_sorting_and_collapsing_leave_final_scores_as_they_are(engine):
    stage = Rescore(model="words", rescore_window_size=2)
    search = HybridSearch(engine, WordSidecar())
    ranked = {hit.doc_id: hit.final_score for hit in (await search.search(request(rescore=stage))).hits}
    by_title = await search.search(request(rescore=stage, sort={"title": "asc"}))
    assert {hit.doc_id: hit.final_score for hit in by_title.hits} == ranked
    collapsed = await search.search(request(rescore=stage, collapse="kind"))
    finals = [hit.final_score for hit in collapsed.hits]
    assert finals == [ranked[hit.doc_id] for hit in collapsed.hits] == sorted(finals, reverse=True)


async def test_without_stages_the_final_score_is_the_fused_one(engine):
    response = await HybridSearch(engine, WordSidecar()).search(request())
    assert [hit.final_score for hit in response.hits] == [hit.fused_score for hit in response.hits]


async def test_a_weighted_retriever_changes_the_order(engine):
    search = HybridSearch(engine, WordSidecar())
    lexical = await search.search(request(fusion=Rrf(weights={"knn": 0.0})))
    only_bm25 = await search.search(request(retrievers=("bm25",)))
    found = set(ids(only_bm25))
    assert [each for each in ids(lexical) if each in found] == ids(only_bm25)


async def test_no_hits_is_an_empty_page(engine):
    response = await HybridSearch(engine, WordSidecar()).search(
        request(query_text="zeppelin", retrievers=("bm25",), rescore=Rescore(model="words"))
    )
    assert (response.hits, response.total_candidates, response.degraded) == ((), 0, ())


@pytest.mark.parametrize("retrievers", [("bm25", "knn"), ("knn",)])
async def test_without_an_encoder_the_search_is_lexical(engine, retrievers):
    broken = BrokenSidecar(SidecarTimeout("too slow"), encoding=True)
    response = await HybridSearch(engine, broken).search(request(retrievers=retrievers))
    lexical = await HybridSearch(engine).search(request(retrievers=("bm25",)))
    assert response.hits == lexical.hits
    assert [(each.stage, each.reason, each.detail) for each in response.degraded] == [("encode", "timeout", "too slow")]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (SidecarTimeout("spent"), "timeout"),
        (SidecarOverloaded("full"), "overloaded"),
        (BadScores("NaN"), "bad_scores"),
    ],
)
async def test_without_scores_the_fused_order_is_returned(engine, error, reason):
    broken = BrokenSidecar(error, rescoring=True)
    response = await HybridSearch(engine, broken).search(request(rescore=Rescore(model="words")))
    fused = await HybridSearch(engine, WordSidecar()).search(request())
    assert response.hits == fused.hits
    assert [(each.stage, each.reason) for each in response.degraded] == [("rescore", reason)]


async def test_candidates_that_were_scored_in_time_come_first(engine):
    partly = await HybridSearch(engine, HalfSidecar(2)).search(request(rescore=Rescore(model="words", weight=1)))
    fused = await HybridSearch(engine, WordSidecar()).search(request())
    assert [(each.stage, each.reason, each.detail) for each in partly.degraded] == [
        ("rescore", "partial", f"2 of {len(fused.hits)} scored in time")
    ]
    assert {hit.doc_id for hit in partly.hits[:2]} == set(ids(fused)[:2])
    assert ids(partly)[2:] == ids(fused)[2:]
    assert [hit.rerank_score is None for hit in partly.hits] == [False, False] + [True] * (len(fused.hits) - 2)


async def test_without_allow_partial_the_fused_order_is_returned(engine):
    whole = Rescore(model="words", allow_partial=False)
    response = await HybridSearch(engine, HalfSidecar(2)).search(request(rescore=whole))
    assert response.hits == (await HybridSearch(engine, WordSidecar()).search(request())).hits
    assert [(each.stage, each.reason) for each in response.degraded] == [("rescore", "timeout")]


async def test_one_failed_retriever_leaves_the_other(engine):
    failing = FailingRetriever(engine, {"knn": EngineTimeout("slow shard", reason="timeout")})
    response = await HybridSearch(failing, WordSidecar()).search(request())
    assert ids(response) == ids(await HybridSearch(engine).search(request(retrievers=("bm25",))))
    assert [(each.stage, each.reason, each.detail) for each in response.degraded] == [("knn", "timeout", "slow shard")]


async def test_a_vector_of_the_wrong_length_is_named_and_leaves_bm25(engine):
    response = await HybridSearch(engine).search(request(query_vector=(1.0, 0.0)))
    assert [each.stage for each in response.degraded] == ["knn"]
    assert "'vector'" in response.degraded[0].detail
    assert "2" in response.degraded[0].detail
    assert response.hits


async def test_no_ranking_at_all_is_an_error_with_its_causes(engine):
    failures = {name: EngineError(f"{name} is broken") for name in ("bm25", "knn")}
    with pytest.raises(SearchFailed, match="bm25: bm25 is broken; knn: knn is broken") as caught:
        await HybridSearch(FailingRetriever(engine, failures), WordSidecar()).search(request())
    assert caught.value.causes == failures


async def test_a_missing_index_is_named(engine):
    with pytest.raises(IndexMissing, match="'nowhere'"):
        await HybridSearch(engine, WordSidecar()).search(request(index="nowhere"))


async def test_a_request_that_needs_a_sidecar_says_so(engine):
    with pytest.raises(ValueError, match="query_vector"):
        await HybridSearch(engine).search(request())
    with pytest.raises(ValueError, match="'words' needs a sidecar"):
        await HybridSearch(engine).search(request(retrievers=("bm25",), rescore=Rescore(model="words")))
