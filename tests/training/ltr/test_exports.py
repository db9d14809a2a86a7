"""Exported forests give LightGBM's own scores, read by the rules of each format."""

import json
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.training.ltr.errors import CannotExport
from hybridrank.training.ltr.exports import export, float32_at_most
from hybridrank.training.ltr.train import TrainingOptions, train
from tests.training.ltr.data import NAMES, made_up

OPTIONS = TrainingOptions(max_trees=40, min_data_in_leaf=5, threads=1)
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-30, 3e38]


@pytest.fixture(scope="module")
def forest():
    """Trained with NaN in every column but the first."""
    data = made_up()
    data.rows[:, 0] = np.nan_to_num(data.rows[:, 0])
    return train(data, NAMES, OPTIONS)


@pytest.fixture(scope="module")
def forest_without_missing():
    return train(made_up(), NAMES, OPTIONS.model_copy(update={"missing_as_zero": True}))


def test_rows(forest):
    """float32 values, as the readers have them: random ones, special ones, and every threshold with its neighbours."""
    random = np.random.default_rng(5)
    rows = random.normal(size=(300, len(NAMES)))
    rows[random.random(rows.shape) < 0.3] = np.nan
    some = random.choice([*SPECIAL, *_thresholds(forest)], size=(600, len(NAMES)))
    rows = np.concatenate([rows, some, np.nextafter(some.astype(np.float32), np.float32(np.inf))])
    rows[np.abs(rows) < 2e-35] = 0  # LightGBM takes what is within 1e-35 of 0 for 0; no feature is there
    return rows.astype(np.float32).astype(np.float64)


test_rows = pytest.fixture(name="rows", scope="module")(test_rows)


def _thresholds(forest):
    def walk(node):
        if "threshold" in node:
            yield node["threshold"]
            yield from walk(node["left_child"])
            yield from walk(node["right_child"])

    return [each for tree in forest.dump_model()["tree_info"] for each in walk(tree["tree_structure"])]


def xgboost_score(trees, row):
    """XGBoost: yes where value < split_condition, in float32, NaN by `missing`."""
    total = 0.0
    for tree in trees:
        node = tree
        while "leaf" not in node:
            value = np.float32(row[NAMES.index(node["split"])])
            taken = "missing" if np.isnan(value) else "yes" if value < node["split_condition"] else "no"
            (node,) = [each for each in node["children"] if each["nodeid"] == node[taken]]
        total += node["leaf"]
    return total


def ranklib_score(ensemble, row):
    """RankLib: left where value <= threshold, in float32; what is missing was 0 before it got here."""
    total = 0.0
    for tree in ensemble:
        node = tree.find("split")
        while node.find("output") is None:
            value = np.float32(row[int(node.find("feature").text) - 1])
            side = "left" if value <= np.float32(node.find("threshold").text) else "right"
            (node,) = [each for each in node.findall("split") if each.get("pos") == side]
        total += float(tree.get("weight")) * float(node.find("output").text)
    return total


def lightgbm_score(dump, row):
    """Vespa's reading: NaN by `default_left` where training saw NaN, else as 0."""
    total = 0.0
    for tree in dump["tree_info"]:
        node = tree["tree_structure"]
        while "leaf_value" not in node:
            value = row[node["split_feature"]]
            if np.isnan(value) and node["missing_type"] == "NaN":
                left = node["default_left"]
            else:
                left = (0.0 if np.isnan(value) else value) <= node["threshold"]
            node = node["left_child" if left else "right_child"]
        total += node["leaf_value"]
    return total


def test_xgboost_json_scores_what_lightgbm_predicts(forest, rows):
    trees = json.loads(export(forest, "xgboost"))
    np.testing.assert_allclose([xgboost_score(trees, row) for row in rows], forest.predict(rows), rtol=0, atol=1e-12)


def test_xgboost_json_has_what_the_plugins_parser_asks_for(forest):
    def walk(node):
        if "leaf" in node:
            assert set(node) == {"nodeid", "leaf"}
            return
        assert set(node) == {"nodeid", "depth", "split", "split_condition", "yes", "no", "missing", "children"}
        assert [each["nodeid"] for each in node["children"]] == [node["yes"], node["no"]]
        assert node["missing"] in (node["yes"], node["no"])
        for each in node["children"]:
            walk(each)

    for tree in json.loads(export(forest, "xgboost")):
        walk(tree)


def test_lightgbm_json_scores_what_lightgbm_predicts(forest, rows):
    dump = json.loads(export(forest, "lightgbm"))
    np.testing.assert_allclose([lightgbm_score(dump, row) for row in rows], forest.predict(rows), rtol=0, atol=1e-12)


def test_ranklib_xml_scores_what_lightgbm_predicts(forest_without_missing, rows):
    text = export(forest_without_missing, "ranklib")
    header, xml = text.split("\n\n", 1)
    assert header.splitlines() == ["## LambdaMART", "## No. of trees = 40"]
    ensemble = fromstring(xml)
    zeroed = np.where(np.isnan(rows), 0.0, rows)
    found = [ranklib_score(ensemble, row) for row in zeroed]
    np.testing.assert_allclose(found, forest_without_missing.predict(rows), rtol=0, atol=1e-12)


def test_ranklib_refuses_what_it_cannot_say(forest):
    with pytest.raises(CannotExport, match=r"another way than 0 when missing: .*age.*\. Train with missing_as_zero"):
        export(forest, "ranklib")


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"zero_as_missing": True}, "takes 0 of .* for missing"),
        ({"categorical_feature": [2], "min_data_per_group": 1, "cat_smooth": 0}, "splits price by category"),
        ({"linear_tree": True}, "linear models in its leaves"),
    ],
)
@pytest.mark.filterwarnings("ignore:categorical_feature")
def test_forests_that_no_format_can_express_are_refused(parameters, reason):
    data = made_up()
    data.rows[:, 2] = np.clip(np.nan_to_num(data.rows[:, 2] * 2 + 5), 0, 10).round()
    if "categorical_feature" in parameters:
        data = made_up(missing=0)
        data.rows[:, 2] = data.grades
    forest = train(data, NAMES, OPTIONS.model_copy(update={"parameters": parameters, "max_trees": 5}))
    with pytest.raises(CannotExport, match=reason):
        export(forest, "xgboost")


@given(threshold=st.floats(-1e38, 1e38), value=st.floats(width=32, allow_nan=False))
def test_a_threshold_in_float32_parts_float32_values_as_it_did(threshold, value):
    assert (np.float32(value) <= float32_at_most(threshold)) == (value <= threshold)
