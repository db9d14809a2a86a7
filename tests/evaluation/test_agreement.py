"""Agreement between judges: published examples, and what holds for any judges."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.evaluation.judging.agreement import Agreement, alpha, coincidences, confusion, estimate, kappa
from hybridrank.evaluation.judging.agreement_report import all_agree, confusion_table, pair_table, pairs_agree, shown

GRADES = range(4)
pairs_of_grades = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", example C: four observers, twelve units.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


def test_kappa_of_cohen_1968():
    """Psychological Bulletin 70, table 1: proportions .44 .05 .01 / .07 .20 .03 / .09 .05 .06 of two judges."""
    counts = np.array([[44.0, 5, 1], [7, 20, 3], [9, 5, 6]])
    assert kappa(counts) == pytest.approx((0.70 - 0.41) / (1 - 0.41))
    assert round(kappa(counts), 3) == 0.492


def test_weighted_kappa_of_a_four_point_scale():
    """Husbands and wives, Hout, Duncan & Sobel 1987, in Agresti's textbook; .1293 and .2374 are R's `vcd::Kappa`.

    The quadratic value, and all three of random judges, were compared with scikit-learn's `cohen_kappa_score`.
    """
    counts = np.array([[7.0, 7, 2, 3], [2, 8, 3, 7], [1, 5, 4, 9], [2, 8, 9, 14]])
    assert round(kappa(counts), 4) == 0.1293
    assert round(kappa(counts, "linear"), 4) == 0.2374
    assert round(kappa(counts, "quadratic"), 4) == 0.3320


def test_alpha_of_krippendorff_2011():
    units = [[grade for grade in unit if grade] for unit in zip(*OBSERVERS, strict=True)]
    counts = coincidences(units, range(1, 6))
    assert counts.sum() == 40  # 41 values, of which one stands alone
    assert round(alpha(counts, "nominal"), 3) == 0.743
    assert round(alpha(counts, "ordinal"), 3) == 0.815


def test_by_hand():
    """Two of three documents the same: observed 1/3 apart, by chance (2·1 + 1·2) / 9 = 4/9, so 1 − 3/4."""
    assert kappa(confusion([(0, 0), (1, 1), (0, 1)], [0, 1])) == pytest.approx(1 - (1 / 3) / ((2 * 2 + 1 * 1) / 9))


@pytest.mark.parametrize("weights", ["none", "linear", "quadratic"])
@given(pairs=pairs_of_grades)
def test_kappa_is_the_same_for_both_judges_and_at_most_1(weights, pairs):
    value = kappa(confusion(pairs, GRADES), weights)
    other = kappa(confusion([(b, a) for a, b in pairs], GRADES), weights)
    assert value == pytest.approx(other, nan_ok=True)
    assert math.isnan(value) or value <= 1
    if all(a == b for a, b in pairs):
        assert math.isnan(value) if len(set(pairs)) == 1 else value == 1
    else:
        assert value < 1


@given(pairs=pairs_of_grades)
def test_weights_make_no_difference_between_two_grades(pairs):
    binary = confusion([(a > 1, b > 1) for a, b in pairs], [False, True])
    assert kappa(binary, "linear") == pytest.approx(kappa(binary), nan_ok=True)
    assert kappa(binary, "quadratic") == pytest.approx(kappa(binary), nan_ok=True)


@given(documents=st.lists(st.lists(st.integers(0, 3), max_size=5), max_size=20), data=st.data())
def test_alpha_counts_every_comparable_grade_of_any_rater(documents, data):
    counts = coincidences(documents, GRADES)
    assert counts.sum() == pytest.approx(sum(len(given) for given in documents if len(given) > 1))
    assert counts == pytest.approx(counts.T)
    shuffled = [data.draw(st.permutations(given)) for given in documents]
    assert coincidences(shuffled, GRADES) == pytest.approx(counts)
    for level in ("nominal", "ordinal"):
        value = alpha(counts, level)
        assert math.isnan(value) or value <= 1 + 1e-12


def test_the_interval_draws_queries_and_not_documents():
    """Every query is agreed on wholly or not at all; ten documents a query say no more than one."""
    few = {f"q{n}": confusion([(0, n % 2), (1, 1 - n % 2)], [0, 1]) for n in range(20)}
    many = {query_id: 10 * counts for query_id, counts in few.items()}
    assert estimate(few, kappa) == estimate(many, kappa)
    found = estimate(few, kappa)
    assert found.value == pytest.approx(0)
    assert found.low < 0 < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * 2 * math.sqrt(0.25 / 20), rel=0.15)


def test_one_query_gives_no_interval():
    found = estimate({"q": confusion([(0, 0), (1, 1)], [0, 1])}, kappa)
    assert found.value == 1
    assert math.isnan(found.low)
    assert shown(found) == "1.000"
    assert shown(estimate({"q": confusion([(0, 0)], [0, 1]), "r": confusion([(0, 0)], [0, 1])}, kappa)) == "–"


JUDGED = {
    "ann": {("q1", "tea"): 2, ("q1", "chai"): 1, ("q2", "soup"): 0, ("q2", "tea"): 0},
    "bob": {("q1", "tea"): 2, ("q1", "chai"): 2, ("q2", "soup"): 0},
    "cy": {("q3", "cake"): 1},
}


def test_judges_are_compared_on_what_both_judged():
    (pair,) = pairs_agree(JUDGED, range(3))
    assert (pair.first, pair.second, pair.documents, pair.queries) == ("ann", "bob", 3, 2)
    assert pair.same == pytest.approx(2 / 3)
    assert pair.confusion.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert pair.relevant.value == 1
    row = pair_table([pair]).rows[0]
    assert row[:3] == ("ann / bob", "3", "66.7%")
    table = confusion_table(pair, range(3))
    assert (table.headers[1], table.rows[1]) == ("bob: 0", ("ann: 1", "0", "0", "1"))


def test_all_judges_together_and_none_that_can_be_compared():
    of_all = all_agree(JUDGED, range(3))
    counts = coincidences([[2, 2], [1, 2], [0, 0]], range(3))
    assert of_all["ordinal"].value == pytest.approx(alpha(counts, "ordinal"))
    assert of_all["nominal"].value == pytest.approx(partial(alpha, level="nominal")(counts))
    assert all_agree({"ann": JUDGED["ann"], "cy": JUDGED["cy"]}, range(3)) == {}
    assert isinstance(of_all["ordinal"], Agreement)
