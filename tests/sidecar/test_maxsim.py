"""Late-interaction scores: a worked example, and two loops as the oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.model_files.arrays import unit_rows
from hybridrank.sidecar.runtime.maxsim import maxsim

DIMENSIONS = 4


def rows(seed: int, count: int) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32))


def test_worked_example():
    query = np.array([[1, 0], [0, 1]], dtype=np.float32)
    passage = np.array([[0.6, 0.8], [1, 0]], dtype=np.float32)
    # The first query token finds (1, 0) with cosine 1, the second finds (0.6, 0.8) with 0.8.
    assert maxsim(query, [passage])[0] == pytest.approx((1 + 0.8) / 2)


def test_cosines_below_zero_stay_below_zero():
    query = np.array([[1, 0]], dtype=np.float32)
    assert maxsim(query, [np.array([[-0.6, 0.8], [-1, 0]], dtype=np.float32)])[0] == pytest.approx(-0.6)


def test_a_passage_without_tokens_ranks_below_every_other():
    query = rows(1, 3)
    scores = maxsim(query, [-query, query[:0], query])
    assert scores[1] == -np.inf
    assert maxsim(query, [query[:0]]).tolist() == [-np.inf]


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.lists(st.integers(0, 9), max_size=12))
def test_agrees_with_two_loops_and_ignores_neighbours(seed, query_tokens, passage_lengths):
    query = rows(seed, query_tokens)
    passages = [rows(seed + 1 + index, length) for index, length in enumerate(passage_lengths)]
    scores = maxsim(query, passages)
    assert scores.shape == (len(passages),)
    for score, passage in zip(scores, passages, strict=True):
        wanted = np.mean([max((float(q @ p) for p in passage), default=-np.inf) for q in query])
        assert score == pytest.approx(wanted, abs=1e-6)
        assert score == pytest.approx(maxsim(query, [passage])[0], abs=1e-6)


@given(st.integers(0, 2**32 - 1))
def test_stays_between_the_lowest_and_the_highest_cosine(seed):
    query, passage = rows(seed, 5), rows(seed + 1, 7)
    assert -1 - 1e-6 <= maxsim(query, [passage])[0] <= 1 + 1e-6


def test_unit_rows_leaves_zeros_alone():
    np.testing.assert_array_equal(unit_rows(np.zeros((2, 3), dtype=np.float32)), np.zeros((2, 3)))
