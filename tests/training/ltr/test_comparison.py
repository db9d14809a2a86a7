"""Rankers over the same candidates: measured with the collection's judgments, tested in pairs, told in a card."""

import math

import numpy as np
import pytest

from hybridrank.ltr_features import FeatureSet
from hybridrank.training.ltr.comparison import compare_rankers, rankings, win_loss
from hybridrank.training.ltr.dataset import UNJUDGED, from_groups
from hybridrank.training.ltr.model_card import importance, model_card
from hybridrank.training.ltr.train import TrainingOptions, train
from tests.training.ltr.data import NAMES, made_up

DATA = from_groups(
    [
        ("q1", [("a", 0, [0.0]), ("b", 2, [0.0]), ("c", UNJUDGED, [0.0])]),
        ("q2", [("a", 1, [0.0]), ("d", 0, [0.0])]),
    ],
    1,
)
QRELS = {"q1": {"a": 0, "b": 2, "elsewhere": 1}, "q2": {"a": 1, "d": 0}, "q3": {"a": 1}, "q4": {"a": 0}}
SCORES = np.array([0.0, 1.0, 1.0, -1.0, 2.0])


def test_rows_are_ordered_by_score_and_ties_keep_their_order():
    assert rankings(DATA) == {"q1": ("a", "b", "c"), "q2": ("a", "d")}
    assert rankings(DATA, SCORES) == {"q1": ("b", "c", "a"), "q2": ("d", "a")}


def test_rankers_are_measured_against_all_judgments():
    found = compare_rankers(DATA, QRELS, {"lambdamart": SCORES}, "rrf")
    ideal = 2 + 1 / math.log2(3)  # with the relevant document that was no candidate
    assert found.evaluations["rrf"].per_query["q1"]["ndcg@10"] == pytest.approx(2 / math.log2(3) / ideal)
    assert found.evaluations["lambdamart"].per_query["q1"]["ndcg@10"] == pytest.approx(2 / ideal)
    assert found.evaluations["lambdamart"].per_query["q3"]["ndcg@10"] == 0  # nothing was found for it
    assert found.evaluations["rrf"].without_relevant == ("q4",)
    assert set(found.comparisons) == {"lambdamart"}
    outcome = win_loss(found, "lambdamart")
    assert [query_id for query_id, _ in outcome.wins] == ["q1"]
    assert outcome.losses == (("q2", pytest.approx(1 / math.log2(3) - 1)),)
    assert outcome.ties == 1


def test_the_most_important_feature_comes_first():
    data = made_up()
    data.rows[:, 4] = 7.0  # of no use
    found = importance(train(data, NAMES, TrainingOptions(max_trees=20, feature_fraction=1)), data)
    assert found[0].name == "title"
    assert found[-1].name == "noise"
    assert (found[-1].gain, found[-1].shap, found[-1].missing) == (0, 0, 0)
    assert sum(each.gain for each in found) == pytest.approx(1)
    assert found[0].missing == pytest.approx(0.2, abs=0.05)


def test_a_card_tells_data_measures_and_features():
    told = [{"name": name, "kind": "query_length", "description": f"the {name} | told"} for name in NAMES]
    feature_set = FeatureSet.model_validate({"name": "shop", "features": told})
    data = made_up()
    features = importance(train(data, NAMES, TrainingOptions(max_trees=5)), data)
    measured = compare_rankers(DATA, QRELS, {"lambdamart": SCORES}, "rrf")
    card = model_card("shop", feature_set, {"collection": "shop, qrels/all", "licence": "CC0-1.0"}, features, measured)
    assert card.startswith("# shop\n")
    assert "| licence | CC0-1.0 |" in card
    assert "3 queries; left out: 1 more without anything relevant." in card
    assert "1 won, 1 lost, 1 the same. won most: q1 +0.281; lost most: q2 -0.369" in card
    assert "| the title / told |" in card
    for line in card.splitlines():
        assert line.count("|") in (0, 3, 6, 8)
