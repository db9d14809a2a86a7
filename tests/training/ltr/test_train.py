"""Training: what LightGBM's own gives, again the same, stopped in time, and only rising where it must."""

import gzip
from itertools import pairwise

import lightgbm
import numpy as np
import pytest
from pydantic import ValidationError

from hybridrank.ltr_features import FeatureSet
from hybridrank.training.ltr.errors import TrainingError
from hybridrank.training.ltr.letor import read_letor, read_sizes
from hybridrank.training.ltr.ndcg import exponential_gain, ndcg
from hybridrank.training.ltr.train import TrainingOptions, hold_out, train
from tests.training.ltr.data import NAMES, made_up

OPTIONS = TrainingOptions(max_trees=30, min_data_in_leaf=5, bagging_fraction=1, feature_fraction=1, lambda_l2=0)


def mean(values):
    return sum(values.values()) / len(values)


def test_a_forest_beats_the_best_single_feature_on_new_queries():
    fresh = made_up(seed=9)
    forest = train(made_up(), NAMES, OPTIONS)
    alone = np.nan_to_num(fresh.rows[:, 0])
    assert mean(ndcg(fresh, forest.predict(fresh.rows), k=10)) > mean(ndcg(fresh, alone, k=10)) + 0.05
    assert forest.feature_name() == list(NAMES)


def test_training_again_gives_the_same_trees():
    assert train(made_up(), NAMES, OPTIONS).model_to_string() == train(made_up(), NAMES, OPTIONS).model_to_string()


def test_the_number_of_trees_is_the_mean_of_the_folds():
    data = made_up(queries=20, missing=0.6)
    folds = [data.query_ids[:10], data.query_ids[10:]]
    options = OPTIONS.model_copy(update={"max_trees": 25, "early_stopping": 25})

    def on_new_queries(trees):
        scores = np.zeros(len(data.rows))
        for fold in folds:
            forest = train(data.of(set(data.query_ids) - set(fold)), NAMES, options, trees)
            scores[data.rows_of(fold)] = forest.predict(data.of(set(fold)).rows)
        return scores

    curve = [mean(ndcg(data, on_new_queries(trees), k=10)) for trees in range(1, 26)]
    best = hold_out(data, NAMES, options, folds)
    assert curve[best.trees - 1] == pytest.approx(max(curve), abs=1e-9)
    assert best.scores.tolist() == on_new_queries(best.trees).tolist()
    hasty = options.model_copy(update={"early_stopping": 1})
    first_fall = next(place for place, (one, next_) in enumerate(pairwise(curve), start=1) if next_ <= one)
    assert hold_out(data, NAMES, hasty, folds).trees == first_fall
    assert hold_out(data, NAMES, options.model_copy(update={"early_stopping": 0}), folds).trees == 25
    assert train(data, NAMES, options, 7).num_trees() == 7


@pytest.mark.parametrize("sign", [1, -1])
def test_a_monotone_feature_moves_the_score_one_way_only(sign):
    rows = made_up(seed=4).rows[:200]
    steps = np.linspace(-3, 3, 40)

    def lowest_step(options):
        forest = train(made_up(), NAMES, options)
        moved = np.repeat(rows, len(steps), axis=0)
        moved[:, 4] = np.tile(steps, len(rows))
        return float((sign * np.diff(forest.predict(moved).reshape(len(rows), -1))).min())

    assert lowest_step(OPTIONS) < 0  # noise goes both ways
    assert lowest_step(OPTIONS.model_copy(update={"monotone": {"noise": sign}})) >= 0


def test_positions_take_the_bias_out_of_clicks():
    """Clicks fall with the position, whatever is there; what the text's feature tells is the position alone."""
    random = np.random.default_rng(1)
    data = made_up(queries=200, missing=0)
    positions = np.concatenate([random.permutation(size) for size in data.sizes])
    seen = random.random(len(positions)) < 1 / (1 + positions)
    data.grades[:] = (data.grades >= 2) & seen
    data.rows[:, 4] = -positions + random.normal(scale=0.1, size=len(positions))  # a feature that gives the place away
    options = OPTIONS.model_copy(update={"max_trees": 60})
    biased = train(data, NAMES, options).feature_importance("gain")
    with_positions = type(data)(
        data.rows, data.grades, data.query_ids, data.sizes, data.doc_ids, positions.astype(np.int64)
    )
    fair = train(with_positions, NAMES, options).feature_importance("gain")
    assert fair[4] / fair.sum() < 0.5 * biased[4] / biased.sum()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"monotone": {"colour": 1}}, "monotone: the feature set has no colour"),
        ({"label_gain": (0, 1, 3)}, "there is a grade 3, but label_gain ends at 2"),
    ],
)
def test_options_that_do_not_fit_the_data_are_refused(change, problem):
    with pytest.raises(TrainingError, match=problem):
        train(made_up(), NAMES, OPTIONS.model_copy(update=change))


def test_data_that_teaches_nothing_is_refused():
    data = made_up(queries=3)
    with pytest.raises(TrainingError, match="the rows have 5 values, but there are 2 features"):
        train(data, NAMES[:2], OPTIONS)
    with pytest.raises(TrainingError, match="LightGBM takes no such names of features: a:b"):
        train(data, ("a:b", *NAMES[1:]), OPTIONS)
    data.grades[0] = -1
    with pytest.raises(TrainingError, match="rows that nobody judged"):
        train(data, NAMES, OPTIONS)
    data.grades[:] = 0
    with pytest.raises(TrainingError, match="no row has a grade above 0"):
        train(data, NAMES, OPTIONS)


def test_unknown_options_are_refused():
    with pytest.raises(ValidationError, match="leaves"):
        TrainingOptions.model_validate({"leaves": 3})


TRAIN_CONF = {
    "objective": "lambdarank",
    "num_leaves": 31,
    "learning_rate": 0.1,
    "max_bin": 255,
    "feature_fraction": 1.0,
    "bagging_freq": 1,
    "bagging_fraction": 0.9,
    "min_data_in_leaf": 50,
    "min_sum_hessian_in_leaf": 5.0,
}
"""LightGBM's examples/lambdarank/train.conf; num_trees is 100."""


def test_lightgbms_own_example_comes_out_as_lightgbm_has_it(collections, tmp_path):
    """From its files by LightGBM itself, as train.conf says, and through our reader, rows and options."""
    sets = {}
    for name in ("train", "test"):
        packed, sizes = collections / "ltr-lightgbm" / f"rank.{name}.gz", f"rank.{name}.query"
        (tmp_path / f"rank.{name}").write_bytes(gzip.decompress(packed.read_bytes()))
        (tmp_path / sizes).write_bytes(packed.with_name(sizes).read_bytes())
        sets[name] = read_letor(packed, absent=0.0, sizes=read_sizes(tmp_path / sizes))
    training, test = sets["train"], sets["test"]
    assert (len(training.sizes), len(training.rows), len(test.sizes), len(test.rows)) == (201, 3005, 50, 768)

    gains = exponential_gain()
    options = TrainingOptions(
        max_trees=100, truncation_level=30, label_gain=gains, lambda_l2=0, bagging_fraction=1, parameters=TRAIN_CONF
    )
    conf = {**TRAIN_CONF, "seed": options.seed, "verbosity": -1, "num_threads": 1}
    alone = lightgbm.train(conf, lightgbm.Dataset(str(tmp_path / "rank.train"), params=conf), num_boost_round=100)
    wanted = mean(
        ndcg(test, np.asarray(alone.predict(str(tmp_path / "rank.test"), num_threads=1)), k=5, label_gain=gains)
    )

    width = training.rows.shape[1]
    forest = train(training, [f"f{number}" for number in range(1, width + 1)], options)
    found = mean(ndcg(test, forest.predict(test.rows[:, :width]), k=5, label_gain=gains))

    assert wanted > 0.6
    assert found == pytest.approx(wanted, abs=0.005)


def test_constraints_of_features_hold_unless_options_differ():
    features = [
        {"name": "title", "kind": "bm25", "fields": ["title"]},
        {"name": "rank", "kind": "fused", "value_of": "rank"},
        {"name": "price", "kind": "number", "field": "price"},
    ]
    feature_set = FeatureSet.model_validate({"name": "s", "features": features})
    assert TrainingOptions().of(feature_set).monotone == {"title": 1, "rank": -1}
    said = TrainingOptions(monotone={"rank": 0, "price": -1})
    assert said.of(feature_set).monotone == {"title": 1, "rank": 0, "price": -1}
    assert TrainingOptions(known_directions=False).of(feature_set).monotone == {}


def test_each_tree_sees_a_share_of_the_queries():
    """Whole queries: with half of them, half of the rows are in each tree, or none of a query's."""
    data = made_up(queries=40, rows=12)
    forest = train(data, NAMES, OPTIONS.model_copy(update={"bagging_fraction": 0.5}))
    counts = {tree["tree_structure"]["internal_count"] for tree in forest.dump_model()["tree_info"]}
    assert all(count % 12 == 0 and count < 480 for count in counts)
