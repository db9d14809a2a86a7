"""Golden pairs are compared in units of any model, and a swap that matters is told from a near tie."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hybridrank.model_files import self_test
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.self_test import GoldenPairs, Verdict, compare

# The standard deviation of these is 2: deviations and gaps below are in halves of what the numbers show.
WANTED = [[4.0, 2.0, 1.9, 0.0, -2.0]]
WANTED_SPREAD = float(np.std(WANTED))
tables = arrays(np.float64, (3, 5), elements=st.floats(-10, 10, width=32))


def test_equal_scores_are_within_the_limit():
    verdict = compare(WANTED, WANTED)
    assert verdict == Verdict(
        pairs=8, swaps=0, deviation=0.0
    )  # of ten, (2.0, 1.9) is a near tie, (0, -2) below the top
    assert verdict.within
    assert verdict.usable


def test_a_near_tie_may_swap_and_what_lies_further_apart_may_not():
    assert compare(WANTED, [[4.0, 1.9, 2.0, 0.0, -2.0]]).swaps == 0
    assert compare(WANTED, [[1.9, 2.0, 1.9, 0.0, -2.0]]).swaps == 2
    assert compare(WANTED, [[4.0, 2.0, 1.9, -2.0, 0.0]]).swaps == 0  # both below the top 3


def test_equal_scores_are_swapped_ones():
    verdict = compare(WANTED, [[1.0] * 5])
    assert verdict.swaps == verdict.pairs == 8
    assert not verdict.usable


def test_order_decides_first_and_size_only_beyond_its_own_limit():
    def shifted(by):
        return compare(WANTED, [[score + by * WANTED_SPREAD for score in WANTED[0]]])

    assert shifted(0.4).within
    assert shifted(0.4).remark == ""
    assert shifted(0.99).within
    assert "ranks alike, 0 of 8 golden pairs swapped, but scores moved by up to 0.99" in shifted(0.99).remark
    assert not shifted(1.1).usable


def test_a_refusal_says_what_is_wrong_and_its_limit():
    assert Verdict(153, 0, 0.99).problem() == ""
    swapped = Verdict(153, 3, 0.2).problem()
    assert swapped == "3 of 153 golden pairs swapped, none may (scores moved by up to 0.20 standard deviations)"
    assert Verdict(153, 3, 0.2).problem(7) == ""
    assert Verdict(153, 8, 0.2).problem(7).startswith("8 of 153 golden pairs swapped, 7 may")
    moved = Verdict(153, 0, 1.39).problem()
    assert "it ranks well enough, 0 of 153 golden pairs swapped" in moved
    assert "scores moved by up to 1.39 standard deviations, and 1 is the limit" in moved


def test_nan_is_an_infinite_deviation():
    verdict = compare(WANTED, [[4.0, 2.0, np.nan, 0.0, -2.0]])
    assert verdict.deviation == np.inf
    assert not verdict.usable


def test_verdicts_add_up():
    assert Verdict(10, 1, 0.2) + Verdict(20, 2, 0.1) == Verdict(30, 3, 0.2)


@given(table=tables, scale=st.floats(0.01, 100))
def test_the_unit_does_not_matter(table, scale):
    found = np.flip(table, axis=1)
    plain, scaled = compare(table, found), compare(scale * table, scale * found)
    if np.std(table) > 0.1:  # where pairs lie just at a near tie, rounding decides
        assert abs(plain.pairs - scaled.pairs) <= 1
        assert scaled.deviation == pytest.approx(plain.deviation)


@given(table=tables)
def test_a_model_agrees_with_itself_and_its_reverse_does_not(table):
    assert compare(table, table).within
    reverse = compare(table, -table)
    assert reverse.swaps == reverse.pairs


def test_self_tests_round_trip(tmp_path):
    golden = (
        GoldenPairs(query="é", passages=("a", "b"), relevance_scores=(1.5, -2.0), cosines=(0.25, 0.5)),
        GoldenPairs(query="q", passages=("a", "b"), relevance_scores=(1.0, 0.12345)),
    )
    self_test.write(tmp_path, golden)
    assert self_test.read(tmp_path) == (golden[0], golden[1].model_copy(update={"relevance_scores": (1.0, 0.1235)}))


def test_a_folder_without_any_has_none(tmp_path):
    assert self_test.read(tmp_path) == ()


GOOD = {"query": "q", "passages": ["a", "b"], "relevance_scores": [1, 0]}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[", "Invalid JSON"),
        ("[]", "holds no pairs"),
        (json.dumps([{**GOOD, "query": ""}]), r"0\.query"),
        (json.dumps([GOOD, {**GOOD, "relevance_scores": [1]}]), "1: .*each passage needs one finite score"),
        (json.dumps([{**GOOD, "cosines": [1, 2, 3]}]), "each passage needs one finite score"),
        (json.dumps([{**GOOD, "relevance_scores": [float("nan"), 1]}]), "selftest.json"),
        (json.dumps([{**GOOD, "colour": "red"}]), "colour"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong_in_it(tmp_path, content, problem):
    (tmp_path / "selftest.json").write_text(content)
    with pytest.raises(BadModelFolder, match=problem):
        self_test.read(tmp_path)
