"""Groups of rows: picked by query and by judgment, and nDCG over them."""

import math

import numpy as np
import pytest

from hybridrank.training.ltr.dataset import UNJUDGED, RankingData, from_groups
from hybridrank.training.ltr.ndcg import dcg, exponential_gain, linear_gain, ndcg

DATA = from_groups(
    [
        ("q1", [("a", 2, [1.0, 5.0]), ("b", UNJUDGED, [2.0, 5.0]), ("c", 0, [3.0, 5.0])]),
        ("q2", [("a", UNJUDGED, [4.0, 5.0])]),
        ("q3", [("d", 1, [5.0, 5.0]), ("e", 3, [6.0, 5.0])]),
    ],
    2,
)


def test_queries_are_picked_in_the_order_they_have():
    found = DATA.of({"q3", "q1"})
    assert (found.query_ids, found.sizes, found.doc_ids) == (("q1", "q3"), (3, 2), ("a", "b", "c", "d", "e"))
    assert found.rows[:, 0].tolist() == [1, 2, 3, 5, 6]


def test_judged_rows_leave_out_queries_without_any():
    found = DATA.judged()
    assert (found.query_ids, found.sizes, found.doc_ids) == (("q1", "q3"), (2, 2), ("a", "c", "d", "e"))
    assert DATA.with_unjudged_as(0).grades.tolist() == [2, 0, 0, 0, 1, 3]


def test_columns_of_another_length_are_refused():
    with pytest.raises(ValueError, match="2 rows, but"):
        RankingData(np.zeros((2, 1)), np.zeros(2, dtype=np.int64), ("q",), (1,), ("a", "b"))


def test_ndcg_is_the_formula():
    scores = np.array([0.1, 9.0, 0.3, 0.0, 2.0, 1.0])
    found = ndcg(DATA.with_unjudged_as(0), scores, k=2)
    assert found["q3"] == pytest.approx((1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3)))
    assert found["q1"] == 0  # the only relevant row is third
    assert set(found) == {"q1", "q3"}


def test_gains_are_the_grades_or_grow_with_them():
    assert dcg(np.array([2, 1]), 10, linear_gain()) == pytest.approx(2 + 1 / math.log2(3))
    assert dcg(np.array([2, 1]), 10, exponential_gain()) == pytest.approx(3 + 1 / math.log2(3))
    assert (linear_gain()[30], exponential_gain()[30]) == (30, 2**30 - 1)


def test_equal_scores_keep_the_order_of_the_rows():
    assert ndcg(DATA.of({"q3"}), np.zeros(2), k=1) == {"q3": pytest.approx(1 / 3)}
