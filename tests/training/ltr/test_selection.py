"""The choice of a setting: the best, or a more restrained one that cannot be told from it; not by test queries."""

import numpy as np
import pytest

from hybridrank.training.ltr.cross_validation import cross_validate, split
from hybridrank.training.ltr.lambdamart import fit_lambdamart
from hybridrank.training.ltr.selection import choose
from hybridrank.training.ltr.train import TrainingOptions, hold_out, train
from tests.training.ltr.data import NAMES, made_up

QUICK = TrainingOptions(max_trees=20, min_data_in_leaf=5, bagging_fraction=1, feature_fraction=1, lambda_l2=0)
STUMP = QUICK.model_copy(update={"max_trees": 1, "num_leaves": 2})


def folds_of(data, count=3):
    return split([[query_id] for query_id in data.query_ids], count)


def test_a_setting_that_is_clearly_better_is_taken():
    data = made_up(queries=60)
    choice = choose(data, NAMES, {"stump": STUMP, "quick": QUICK}, folds_of(data))
    assert choice.measured["quick"] > choice.measured["stump"] + 0.05
    assert (choice.name, choice.options) == ("quick", QUICK)
    assert choice.trees == hold_out(data, NAMES, QUICK, folds_of(data)).trees


@pytest.mark.parametrize("first", [7, 8])
def test_the_first_of_equally_good_settings_is_taken(first):
    data = made_up(queries=30)
    leaves = {f"{each}": QUICK.model_copy(update={"num_leaves": each}) for each in (first, 15 - first)}
    choice = choose(data, NAMES, leaves, folds_of(data))
    assert choice.name == f"{first}"
    assert len(set(choice.measured.values())) == 2


def test_the_model_of_a_fold_never_depends_on_its_own_judgments():
    """Turning all grades of a fold round changes the choices and trees of the other folds, and not its own scores."""
    data = made_up(queries=30)
    folds = folds_of(data)
    settings = {"stump": STUMP, "quick": QUICK}
    before = cross_validate(data, folds, fit_lambdamart(NAMES, settings))
    own = data.rows_of(folds[0])
    data.grades[own] = 3 - data.grades[own].clip(0, 3)
    after = cross_validate(data, folds, fit_lambdamart(NAMES, settings))
    assert after[own].tolist() == before[own].tolist()
    assert not np.array_equal(after[~own], before[~own])


def test_each_fold_is_told_its_choice_and_its_forest():
    data = made_up(queries=30)
    folds = folds_of(data)
    told = []
    fit = fit_lambdamart(NAMES, {"quick": QUICK}, told.append)
    scores = cross_validate(data, folds, fit)
    for each, fold in zip(told, folds, strict=True):
        others = data.of(set(data.query_ids) - set(fold))
        again = train(others, NAMES, QUICK, each.choice.trees)
        assert each.booster.model_to_string() == again.model_to_string()
        assert each.booster.predict(data.of(set(fold)).rows).tolist() == scores[data.rows_of(fold)].tolist()
