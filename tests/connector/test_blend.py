import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.connector.stages.blend import blend, z_scores
from hybridrank.connector.types import Hit, RelevanceScore, RetrieverScore


def hit(doc_id: str, rank: int, score: float) -> Hit:
    return Hit(doc_id, rank, score, rank, score, {"bm25": RetrieverScore(rank, score)}, final_score=score)


HITS = tuple(hit(doc_id, rank, 1 / (60 + rank)) for rank, doc_id in enumerate("abcd", start=1))


def scores(*values: float) -> list[RelevanceScore]:
    return [RelevanceScore(value) for value in values]


def test_weight_one_is_the_rerank_score_alone():
    blended = blend(HITS[:3], scores(-4.0, 2.0, 7.5), weight=1, model="m")
    assert [(each.doc_id, each.score, each.rerank_score) for each in blended] == [
        ("c", 7.5, 7.5),
        ("b", 2.0, 2.0),
        ("a", -4.0, -4.0),
    ]


def test_half_and_half_adds_z_scores():
    two = (hit("a", 1, 3.0), hit("b", 2, 1.0))  # z: 1, -1
    blended = blend(two, scores(10.0, 30.0), weight=0.75, model="m")  # z: -1, 1
    assert [(each.doc_id, each.score) for each in blended] == [("b", 0.75 - 0.25), ("a", -0.75 + 0.25)]


def test_a_second_model_blends_with_what_the_first_left():
    first = blend((hit("a", 1, 3.0), hit("b", 2, 1.0)), scores(10.0, 30.0), weight=1, model="one")
    second = blend(first, scores(1.0, 5.0), weight=0.25, model="two")  # z of two: b -1, a 1; z of one: b 1, a -1
    assert [(each.doc_id, each.score) for each in second] == [("b", -0.25 + 0.75), ("a", 0.25 - 0.75)]
    assert [each.rerank_scores for each in second] == [{"one": 30.0, "two": 1.0}, {"one": 10.0, "two": 5.0}]
    assert [each.rerank_score for each in second] == [1.0, 5.0]


def test_the_tail_never_outranks_the_window():
    blended = blend(HITS, scores(-100.0, -200.0), weight=1, model="m")
    assert [each.doc_id for each in blended] == ["a", "b", "c", "d"]
    assert [each.rank for each in blended] == [1, 2, 3, 4]
    assert [each.rerank_score for each in blended] == [-100.0, -200.0, None, None]
    assert blended[2].score == HITS[2].fused_score


def test_the_tail_keeps_its_distances_below_the_window():
    hits = (hit("a", 1, 9), hit("b", 2, 4), hit("c", 3, 3), hit("d", 4, 1))
    blended = blend(hits, scores(0.5, -2.0), weight=1, model="m")
    assert [each.score for each in blended] == [0.5, -2.0, 3, 1]
    assert [each.final_score for each in blended] == [0.5, -2.0, -2.0, -4.0]  # 3 and 1 are 2 apart


@given(st.data())
def test_the_final_score_never_rises_with_any_number_of_stages(data):
    """Cascades, windows smaller than the page, scores that came too late."""
    values = sorted(data.draw(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12)), reverse=True)
    ranking = tuple(hit(f"d{rank}", rank, value) for rank, value in enumerate(values, start=1))
    head = len(ranking)
    for number in range(data.draw(st.integers(1, 3))):
        count = data.draw(st.integers(1, head))
        given = data.draw(st.lists(st.none() | st.floats(-1e6, 1e6), min_size=count, max_size=count))
        if not any(each is not None for each in given):
            continue  # which is a timeout, and leaves the stage out
        before = [each.doc_id for each in ranking]
        window = [None if each is None else RelevanceScore(each) for each in given]
        ranking = blend(ranking, window, data.draw(st.floats(0.01, 1)), model=f"m{number}")
        head = sum(each is not None for each in given)
        finals = [each.final_score for each in ranking]
        assert finals == sorted(finals, reverse=True)
        assert [each.final_score for each in ranking[:head]] == [each.score for each in ranking[:head]]
        tail = [each.doc_id for each in ranking[head:]]
        assert tail == [doc_id for doc_id in before if doc_id in tail]


def test_unscored_hits_follow_scored_ones_in_fused_order():
    blended = blend(HITS, [None, RelevanceScore(-5.0), RelevanceScore(3.0)], weight=1, model="m")
    assert [(each.doc_id, each.rank, each.rerank_score) for each in blended] == [
        ("c", 1, 3.0),
        ("b", 2, -5.0),
        ("a", 3, None),
        ("d", 4, None),
    ]
    assert [each.score for each in blended[2:]] == [HITS[0].fused_score, HITS[3].fused_score]


@given(st.lists(st.none() | st.floats(-10, 10), min_size=4, max_size=4), st.floats(0.01, 1))
def test_a_partial_window_blends_as_a_smaller_window(values, weight):
    given = [None if value is None else RelevanceScore(value) for value in values]
    blended = blend(HITS, given, weight, model="m")
    scored = [(each, score) for each, score in zip(HITS, given, strict=True) if score]
    alone = blend([each for each, _ in scored], [score for _, score in scored], weight, model="m")
    assert [(each.doc_id, each.score) for each in blended[: len(alone)]] == [
        (each.doc_id, each.score) for each in alone
    ]
    assert [each.doc_id for each in blended[len(alone) :]] == [
        each.doc_id for each, score in zip(HITS, given, strict=True) if not score
    ]


def test_equal_scores_keep_the_order_they_had():
    """That of the stage before, which is neither that of the retrievers nor of the ids."""
    before = blend(HITS, scores(1.0, 2.0, 4.0, 3.0), weight=1, model="m")
    for weight in (1, 0.5):
        equal = blend(before[:2], scores(0.5, 0.5), weight=weight, model="n")
        assert [each.doc_id for each in equal] == ["c", "d"]
    assert [each.doc_id for each in blend(before, scores(0.5, 0.5, 0.5, 0.7), weight=1, model="n")] == list("acdb")


def test_truncation_is_carried_over():
    (only,) = blend(HITS[:1], [RelevanceScore(1.0, truncated=True)], weight=0.5, model="m")
    assert only.truncated


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4), st.floats(0.01, 1))
def test_blending_keeps_every_hit_and_its_fused_place(values, weight):
    blended = blend(HITS, scores(*values), weight, model="m")
    assert {(each.doc_id, each.fused_rank, each.fused_score) for each in blended} == {
        (each.doc_id, each.fused_rank, each.fused_score) for each in HITS
    }
    assert [each.score for each in blended] == sorted((each.score for each in blended), reverse=True)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2), st.floats(0.1, 10), st.floats(-100, 100))
def test_z_scores_do_not_depend_on_scale_or_origin(values, scale, origin):
    spread = max(values) - min(values)
    if spread < 1e-3:
        return
    moved = [scale * value + origin for value in values]
    assert z_scores(moved) == pytest.approx(z_scores(values), abs=1e-6)


def test_z_scores_of_equal_values_are_zero():
    assert z_scores([2.0, 2.0, 2.0]) == [0.0, 0.0, 0.0]
    assert z_scores([]) == []
