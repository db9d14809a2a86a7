"""Significance against worked examples and against scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from hybridrank.evaluation.measures.significance import compare, holm, paired_randomisation, paired_t

MONTE_CARLO = 0.02  # four standard errors of a p of 0.5 over 10,000 patterns

differences = arrays(np.float64, st.integers(2, 12), elements=st.sampled_from([-0.5, -0.2, 0.0, 0.1, 0.2, 0.63]))


@given(differences)
def test_randomisation_agrees_with_scipy_over_every_sign_pattern(differences):
    exact = stats.permutation_test(
        (differences, np.zeros_like(differences)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert paired_randomisation(differences) == pytest.approx(exact.pvalue, abs=MONTE_CARLO)


@given(arrays(np.float64, st.integers(3, 40), elements=st.floats(-1, 1).filter(lambda x: abs(x) > 1e-3), unique=True))
def test_paired_t_agrees_with_scipy(differences):
    expected = stats.ttest_rel(differences, np.zeros_like(differences)).pvalue
    assert paired_t(differences) == pytest.approx(expected, rel=1e-9)


def test_three_equal_gains_have_a_p_value_of_one_quarter():
    """Of the eight sign patterns, all plus and all minus are as extreme: p = 2 / 8."""
    assert paired_randomisation(np.array([0.1, 0.1, 0.1])) == pytest.approx(0.25, abs=MONTE_CARLO)


def test_no_difference_is_never_significant():
    nothing = np.zeros(50)
    assert (paired_randomisation(nothing), paired_t(nothing)) == (1.0, 1.0)


def test_a_large_difference_has_the_smallest_p_but_never_zero():
    assert paired_randomisation(np.full(100, 0.3)) == 1 / 10_001
    assert paired_t(np.full(100, 0.3)) == 0.0


@given(differences)
def test_direction_does_not_matter_and_the_answer_repeats(differences):
    assert paired_randomisation(differences) == paired_randomisation(-differences)


def test_holm_by_hand():
    """Sorted .01 .02 .04 .2: times 4, 3, 2, 1 are .04 .06 .08 .2, already rising."""
    assert holm([0.2, 0.01, 0.04, 0.02]) == pytest.approx((0.2, 0.04, 0.08, 0.06))


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_is_between_none_and_bonferroni_and_keeps_the_order(p_values):
    corrected = holm(p_values)
    for p, ours in zip(p_values, corrected, strict=True):
        assert p <= ours <= min(1.0, p * len(p_values)) + 1e-12 or ours == max(
            other for q, other in zip(p_values, corrected, strict=True) if q <= p
        )
    by_p = [ours for _, ours in sorted(zip(p_values, corrected, strict=True))]
    assert by_p == sorted(by_p)


def test_compare_pairs_queries_and_corrects_for_all_pipelines():
    baseline = {f"q{place}": 0.5 for place in range(20)}
    better = {query_id: value + 0.1 for query_id, value in baseline.items()}
    comparisons = compare(baseline, {"better": better, "same": dict(reversed(baseline.items()))})
    assert comparisons["better"].delta == pytest.approx(0.1)
    assert comparisons["better"].p == pytest.approx(1 / 10_001)
    assert comparisons["better"].p_holm == pytest.approx(2 / 10_001)
    assert comparisons["same"].delta == 0.0
    assert comparisons["same"].p_holm == 1.0
