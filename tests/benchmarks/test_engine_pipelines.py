"""What the comparison says of two ways that rank alike, and of two that do not."""

import pytest

from benchmarks.engine_pipelines import section

QRELS = {"q": {"a": 1}}
ABOUT = {"collection": {"name": "menu", "queries": 1}, "engine": {"version": "3.6.0"}}
FIRST, SECOND = {"q": ("a", "b")}, {"q": ("b", "a")}


def test_equal_rankings_meet_their_aim_and_others_miss_it():
    found = section({"alike": (FIRST, FIRST), "not alike": (FIRST, SECOND)}, QRELS, ABOUT)
    assert [aim.met for aim in found.aims] == [True, False]
    assert found.measured["alike"] == {"library": 1.0, "pipeline": 1.0, "same_first_ten": 1.0}
    assert found.measured["not alike"]["pipeline"] == pytest.approx(0.6309, abs=1e-4)  # 1 / log2(3)
