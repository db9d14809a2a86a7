"""Rank-biased overlap by hand, by its definition, and by what must always hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.evaluation.measures.rbo import mean_overlaps, rank_biased_overlap

rankings = st.lists(st.sampled_from("abcdefghij"), unique=True)
persistences = st.floats(0.05, 0.95)


def test_even_lists_by_hand():
    """At depths 1, 2, 3 they share 0, 1 and 2 documents; below it is taken to stay at 2/3."""
    expected = 0.1 * (0.9 * 1 / 2 + 0.81 * 2 / 3) + 0.729 * 2 / 3
    assert rank_biased_overlap("abx", "yab", p=0.9) == pytest.approx(expected)


def test_uneven_lists_by_hand():
    """At depths 1, 2 they share 1 and 1. The shorter one, of which half agrees, would have 1.5 and 2 at depths 3 and 4.

    The longer one has b, the shorter one's second, at depth 4: one more, so 3 of 4.
    """
    expected = 0.2 * (1 + 0.8 * 1 / 2 + 0.64 * 1.5 / 3 + 0.512 * 3 / 4) + 0.4096 * 3 / 4
    assert rank_biased_overlap("ab", "axyb", p=0.8) == pytest.approx(expected)


@given(one=rankings.filter(bool), other=rankings.filter(bool), p=persistences)
def test_rbo_is_the_sum_of_its_definition(one, other, p):
    """Prefixes compared as sets, far below both ends."""
    short, long = sorted((one, other), key=len)
    at_its_end = len({*short} & {*long[: len(short)]})

    def agreement(depth):
        beyond = max(0, depth - len(short))
        return (len({*short[:depth]} & {*long[:depth]}) + at_its_end * beyond / len(short)) / depth

    expected = sum((1 - p) * p ** (depth - 1) * agreement(min(depth, len(long))) for depth in range(1, 600))
    assert rank_biased_overlap(one, other, p) == pytest.approx(expected, abs=1e-9)


@given(one=rankings, other=rankings, p=persistences)
def test_rbo_is_symmetric_and_between_0_and_1(one, other, p):
    assert 0 <= rank_biased_overlap(one, other, p) <= 1
    assert rank_biased_overlap(one, other, p) == pytest.approx(rank_biased_overlap(other, one, p))


@given(ranking=rankings, length=st.integers(1, 10), p=persistences)
def test_a_ranking_agrees_with_itself_and_with_its_own_beginning(ranking, length, p):
    assert rank_biased_overlap(ranking, ranking, p) == pytest.approx(1)
    if ranking:
        assert rank_biased_overlap(ranking, ranking[:length], p) == pytest.approx(1)


@given(ranking=rankings.filter(bool), p=persistences)
def test_rankings_without_a_common_document_have_0(ranking, p):
    assert rank_biased_overlap(ranking, [each.upper() for each in ranking], p) == 0
    assert rank_biased_overlap(ranking, [], p) == 0


@given(p=persistences)
def test_a_swap_at_the_top_costs_more_than_one_below(p):
    assert rank_biased_overlap("abcdef", "bacdef", p) < rank_biased_overlap("abcdef", "abcdfe", p)


@pytest.mark.parametrize("p", [0, 1, -0.1, 1.5, float("nan")])
def test_p_lies_between_0_and_1(p):
    with pytest.raises(ValueError, match="lies between 0 and 1"):
        rank_biased_overlap("a", "a", p)


def test_means_over_queries_count_a_query_that_a_run_lacks():
    runs = {"one": {"q1": "abc", "q2": "a"}, "other": {"q1": "bac"}}
    means = mean_overlaps(runs, ["q1", "q2", "q3"], p=0.5)  # 0.5, nothing, and two empty ones, which are the same
    assert means["one"]["other"] == means["other"]["one"] == pytest.approx((0.5 + 0 + 1) / 3)
    assert means["one"]["one"] == 1
