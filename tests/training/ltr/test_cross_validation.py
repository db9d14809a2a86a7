"""Folds: near-equal queries stand together, and no query is scored by a model that has seen it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.training.ltr.cross_validation import NEAR, cross_validate, near_equal, similarity, split
from hybridrank.training.ltr.dataset import UNJUDGED
from tests.training.ltr.data import made_up

SHOP = {
    "q1": "laptop",
    "q2": "LAPTOPS",
    "q3": "aa battery",
    "q4": "batteries",
    "q5": "battery",
    "q6": "café table",
    "q7": "cafe  table!",
    "q8": "printer",
}


def test_near_equal_queries_are_one_group():
    assert near_equal(SHOP) == (("q1", "q2"), ("q3", "q4", "q5"), ("q6", "q7"), ("q8",))


def test_similarity_is_the_share_of_common_trigrams():
    assert similarity("battery", "batteries") == 5 / 11
    assert similarity("Café", "cafe!") == 1
    assert similarity("a", "b") == 0


@given(
    queries=st.dictionaries(st.integers(0, 99).map(str), st.text("abc ", min_size=1, max_size=6), min_size=3),
    seed=st.integers(0, 9),
)
def test_no_two_near_equal_queries_are_in_different_folds(queries, seed):
    groups = near_equal(queries)
    if len(groups) < 3:
        with pytest.raises(ValueError, match="3 folds need as many groups"):
            split(groups, 3, seed)
        return
    folds = split(groups, 3, seed)
    assert sorted(query_id for fold in folds for query_id in fold) == sorted(queries)
    assert all(folds)
    place = {query_id: number for number, fold in enumerate(folds) for query_id in fold}
    for one in queries:
        for other in queries:
            assert place[one] == place[other] or similarity(queries[one], queries[other]) < NEAR


def test_two_folds_leave_nothing_to_train_on():
    with pytest.raises(ValueError, match="2 folds are too few"):
        split([["a"], ["b"], ["c"]], 2)


def test_a_shops_queries_make_five_folds_of_a_like_size(collections):
    queries = BeirFolder(collections / "chorus-ecommerce").queries()
    folds = split(near_equal(queries), 5)
    assert [len(fold) for fold in folds] == [27] * 5


def test_every_row_is_scored_by_a_model_that_never_saw_its_query():
    data = made_up(queries=10, rows=4)
    data.grades[::4] = UNJUDGED
    folds = split([[query_id] for query_id in data.query_ids], 5)
    seen = []

    def fit(training, others):
        seen.append(set(training.query_ids))
        assert {query_id for fold in others for query_id in fold} == seen[-1]
        assert (len(training.query_ids), len(others)) == (8, 4)
        assert UNJUDGED not in training.grades
        number = len(seen)
        return lambda rows: np.full(len(rows), float(number))

    scores = cross_validate(data, folds, fit)
    for query_id, place in data.groups():
        (number,) = set(scores[place])
        assert query_id in folds[int(number) - 1]
        assert query_id not in seen[int(number) - 1]
