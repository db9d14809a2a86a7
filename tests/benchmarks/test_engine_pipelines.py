"""The comparison of two ways that rank alike, and of two that do not."""

import pytest

from benchmarks.engine_pipelines import section

QRELS = {"q": {"a": 1}}
ABOUT = {"collection": {"name": "menu", "queries": 1}, "engine": {"version": "3.6.0"}}
FIRST, SECOND, TIED = {"q": [("a", 2.0), ("b", 1.0)]}, {"q": [("b", 2.0), ("a", 1.0)]}, {"q": [("b", 1.0), ("a", 1.0)]}


def test_equal_rankings_meet_their_aim_and_others_miss_it():
    found = section({"alike": (FIRST, FIRST), "not alike": (FIRST, SECOND)}, QRELS, ABOUT)
    assert [aim.met for aim in found.aims] == [True, False]
    assert set(found.measured["alike"].values()) == {1.0}
    assert found.measured["not alike"]["pipeline"] == pytest.approx(0.6309, abs=1e-4)  # 1 / log2(3)
    assert found.measured["not alike"]["pipeline_with_ties_as_library"] == found.measured["not alike"]["pipeline"]


def test_rankings_that_differ_only_in_ties_compare_equal():
    measured = section({"tied": (FIRST, TIED)}, QRELS, ABOUT).measured["tied"]
    assert measured["pipeline"] < measured["pipeline_with_ties_as_library"] == measured["library"]
    assert (measured["same_first_ten"], measured["same_first_ten_with_ties_as_library"]) == (0, 1)
