"""Fits of chances: worked examples, what they recover of known chances, and that none saw what it is measured on."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.model_files.calibration import sigmoid
from hybridrank.training.calibration.error import Bin, bins_of, brier_score, expected_calibration_error
from hybridrank.training.calibration.fit import (
    FITS,
    JudgedScores,
    NotCalibratable,
    cross_fitted,
    fit_isotonic,
    fit_temperature,
)
from hybridrank.training.calibration.plot import reliability_svg

SVG = "{http://www.w3.org/2000/svg}"


def judged(raw, relevant, query=None):
    numbers = range(len(raw)) if query is None else query
    return JudgedScores(np.array(raw, dtype=float), np.array(relevant, dtype=bool), np.array(numbers))


def drawn(slope, intercept, *, queries=400, each=25, seed=5):
    """Raw scores as a model may return them, relevant as often as sigmoid(slope × raw + intercept) says."""
    random = np.random.default_rng(seed)
    raw = random.normal(3, 2, queries * each)
    return judged(raw, random.random(len(raw)) < sigmoid(slope * raw + intercept), np.repeat(np.arange(queries), each))


def test_temperature_recovers_slope_and_intercept_of_the_pairs():
    found = fit_temperature(drawn(0.7, -3.0))
    assert (found.slope, found.intercept) == (pytest.approx(0.7, abs=0.05), pytest.approx(-3.0, abs=0.15))


def test_temperature_is_finite_for_perfectly_separated_scores():
    found = fit_temperature(judged([-2.0, -1.0, 1.0, 2.0], [0, 0, 1, 1]))
    assert found.probabilities(np.array([-2.0, 2.0])) == pytest.approx([1 / 4, 3 / 4], abs=0.11)  # targets: 1/4, 3/4
    assert 0 < found.slope < 10


def test_isotonic_pools_adjacent_violators_and_equal_scores():
    found = fit_isotonic(judged([1, 2, 3, 4, 4, 5], [0, 1, 0, 1, 0, 1]))
    assert found.raw_scores == (1, 2, 4, 5)
    assert found.values == pytest.approx((0, (1 + 0 + 1 + 0) / 4, (1 + 0 + 1 + 0) / 4, 1))


@pytest.mark.parametrize("method", FITS)
def test_a_calibration_that_is_impossible_says_why(method):
    fit = FITS[method]
    with pytest.raises(NotCalibratable, match="relevant pairs: 0 of 3; there must be some of both kinds"):
        fit(judged([1, 2, 3], [0, 0, 0]))
    with pytest.raises(NotCalibratable, match="3 of 3"):
        fit(judged([1, 2, 3], [1, 1, 1]))
    with pytest.raises(NotCalibratable, match="not more often relevant"):
        fit(judged([1, 2, 3, 4], [1, 1, 0, 0]))
    with pytest.raises(NotCalibratable):
        fit(judged([2, 2, 2], [1, 0, 0]))
    with pytest.raises(NotCalibratable, match="two queries or more"):
        cross_fitted(judged([1, 2, 3], [0, 1, 1], query=[7, 7, 7]), method)


@pytest.mark.parametrize("method", FITS)
def test_calibrated_probabilities_hold_on_unseen_queries(method):
    pairs = drawn(0.7, -3.0)
    before = expected_calibration_error(sigmoid(pairs.raw), pairs.relevant)
    after = expected_calibration_error(cross_fitted(pairs, method), pairs.relevant)
    assert before > 0.3
    assert after < 0.02


@pytest.mark.parametrize("method", FITS)
def test_a_query_s_own_judgments_have_no_part_in_its_chances(method):
    pairs = drawn(0.7, -3.0, queries=20)
    own = pairs.query == 3
    flipped = replace(pairs, relevant=np.where(own, ~pairs.relevant, pairs.relevant))
    before, after = (cross_fitted(each, method) for each in (pairs, flipped))
    np.testing.assert_array_equal(after[own], before[own])
    assert np.abs(after - before).max() > 0
    assert not np.isnan(before).any()


def test_bins_hold_equally_many_pairs_or_span_equally_much():
    chances, relevant = [0.1, 0.2, 0.3, 0.9], [0, 1, 0, 1]
    assert bins_of(chances, relevant, "mass", 2) == (
        Bin(2, pytest.approx(0.15), 0.5),
        Bin(2, pytest.approx(0.6), 0.5),
    )
    assert bins_of(chances, relevant, "width", 2) == (
        Bin(3, pytest.approx(0.2), pytest.approx(1 / 3)),
        Bin(1, pytest.approx(0.9), 1.0),
    )
    assert expected_calibration_error(chances, relevant, "mass", 2) == pytest.approx(0.5 * 0.35 + 0.5 * 0.1)
    assert expected_calibration_error(chances, relevant, "width", 2) == pytest.approx(
        0.75 * (1 / 3 - 0.2) + 0.25 * (1 - 0.9)
    )


pairs_of_outcomes = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), st.booleans()), min_size=1)


@given(pairs=pairs_of_outcomes, data=st.data(), binning=st.sampled_from(["mass", "width"]))
def test_the_order_of_pairs_changes_no_error_and_bins_lose_none(pairs, data, binning):
    shuffled = data.draw(st.permutations(pairs))
    one, other = (bins_of(*zip(*each, strict=True), binning, 4) for each in (pairs, shuffled))
    assert [each.count for each in one] == [each.count for each in other]
    assert sum(each.count for each in one) == len(pairs)
    assert [each.relevant for each in one] == pytest.approx([each.relevant for each in other])
    error = expected_calibration_error(*zip(*pairs, strict=True), binning, 4)
    assert 0 <= error <= 1
    chances, relevant = np.array(pairs, dtype=float).T
    assert brier_score(chances, relevant) == pytest.approx(np.mean((chances - relevant) ** 2))


def test_the_reliability_picture_has_a_point_for_each_bin():
    bins = {"raw & <squashed>": (Bin(9, 0.0, 0.5), Bin(1, 1.0, 1.0)), "calibrated": (Bin(10, 0.5, 0.5),)}
    picture = ElementTree.fromstring(reliability_svg("mine & yours", bins))
    points = [
        (each.get("cx"), each.get("cy"), float(each.get("r")))
        for each in picture.iter(f"{SVG}circle")
        if "." in each.get("r")
    ]
    assert [(x, y) for x, y, _ in points] == [("64.0", "228.0"), ("456.0", "40.0"), ("260.0", "228.0")]
    assert points[1][2] < points[0][2] < points[2][2]
    said = [each.text for each in picture.iter(f"{SVG}text")]
    assert {"raw & <squashed>", "calibrated", "0.0", "1.0"} <= set(said)
    assert picture.findtext(f"{SVG}title") == "mine & yours"
