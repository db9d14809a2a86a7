"""The baselines learn what made-up grades hold, and their losses are the papers' formulas."""

import math

import numpy as np
import pytest

from hybridrank.training.ltr.baselines import BASELINES, lambdarank_loss, listnet_loss, ranknet_loss, standardise
from hybridrank.training.ltr.ndcg import ndcg
from tests.training.ltr.data import made_up


def mean(values):
    return sum(values.values()) / len(values)


def test_rows_are_standardised_and_missing_values_say_so():
    prepare = standardise(np.array([[1.0, 7.0], [3.0, np.nan], [np.nan, 7.0]]))
    found = prepare(np.array([[3.0, np.nan], [np.inf, 8.0]]))
    assert found.tolist() == [[1.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0]]


@pytest.mark.parametrize(
    "name", ["linear", *(pytest.param(each, marks=pytest.mark.torch) for each in BASELINES if each != "linear")]
)
def test_a_baseline_beats_the_best_single_feature_on_new_queries(name):
    fresh = made_up(seed=9)
    data = made_up()
    score = BASELINES[name](data, [data.query_ids[:15], data.query_ids[15:30], data.query_ids[30:]])
    alone = np.nan_to_num(fresh.rows[:, 0])
    assert mean(ndcg(fresh, score(fresh.rows), k=10)) > mean(ndcg(fresh, alone, k=10)) + 0.05


@pytest.mark.torch
def test_the_losses_are_the_papers_formulas():
    import torch

    scores, grades = torch.tensor([0.5, 2.0, -1.0]), torch.tensor([2, 0, 1])
    pairs = [math.log1p(math.exp(low - high)) for high, low in [(0.5, 2.0), (0.5, -1.0), (-1.0, 2.0)]]
    assert float(ranknet_loss(scores, grades)) == pytest.approx(sum(pairs) / 3)

    discount = [1 / math.log2(3), 1.0, 0.5]  # the second row is first, the first second
    ideal = 2 + 1 / math.log2(3)  # the gain of a grade is the grade
    swaps = [2 * (discount[1] - discount[0]), 1 * (discount[0] - discount[2]), 1 * (discount[1] - discount[2])]
    wanted = sum(pair * swap / ideal for pair, swap in zip(pairs, swaps, strict=True))
    assert float(lambdarank_loss(scores, grades)) == pytest.approx(wanted)

    wanted = -sum(
        math.exp(grade)
        / sum(math.exp(g) for g in (2, 0, 1))
        * math.log(math.exp(score) / sum(map(math.exp, (0.5, 2, -1))))
        for score, grade in zip((0.5, 2.0, -1.0), (2, 0, 1), strict=True)
    )
    assert float(listnet_loss(scores, grades)) == pytest.approx(wanted)
