"""A forest's folder is read whole or refused; what it computes is what LightGBM computes, to the last bit."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import lightgbm
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hybridrank.model_files import forest_folder
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.sidecar.models.trial import load_model
from hybridrank.sidecar.runtime.forest import Forest
from tests.sidecar.forests import FEATURES, feature_set, model_text, odd_rows, write_forest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_forest(tmp_path_factory.mktemp("models") / "forest").path


@pytest.fixture(scope="module")
def forest(folder):
    return Forest(folder / "model.txt")


@pytest.fixture(scope="module")
def booster():
    return lightgbm.Booster(model_str=model_text())


@given(arrays(np.float64, (8, FEATURES), elements=st.floats()))  # NaN, infinities and denormal numbers too
def test_scores_are_lightgbms_own(forest, booster, rows):
    np.testing.assert_array_equal(forest.predict(rows), booster.predict(rows))


def test_odd_values_go_different_ways(forest):
    rows = np.zeros((4, FEATURES))
    rows[:, 1] = (0.0, np.nan, np.inf, -np.inf)
    assert len(set(forest.predict(rows))) >= 3


@given(arrays(np.float64, (4, FEATURES), elements=st.floats()))
def test_contributions_add_up_to_the_score(forest, booster, rows):
    contributions = forest.contributions(rows)
    assert contributions.shape == (4, FEATURES + 1)
    np.testing.assert_array_equal(contributions, booster.predict(rows, pred_contrib=True))
    np.testing.assert_allclose(contributions.sum(axis=1), forest.predict(rows), rtol=0, atol=1e-9)


def test_concurrent_scoring_and_explaining_change_no_result(forest):
    rows = odd_rows(64, seed=5)
    alone = forest.predict(rows), forest.contributions(rows)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: (forest.contributions if n % 2 else forest.predict)(rows), range(64)))
    for number, each in enumerate(found):
        np.testing.assert_array_equal(each, alone[number % 2])


def test_forest_folders_round_trip(folder):
    read = forest_folder.read(folder)
    assert read.feature_set == feature_set()
    assert forest_folder.write(folder, read.toml, read.feature_set) == read
    info = load_model(folder).info
    assert info == read.info
    assert (info.kind, info.precision, info.max_tokens, info.dimensions) == ("lambdamart", "fp64", 0, 0)
    assert (info.feature_set.digest, info.feature_set.features) == (feature_set().digest, feature_set().names)


@pytest.mark.parametrize("name", ["model.txt", "features.json"])
def test_a_missing_file_is_named(tmp_path, name):
    path = write_forest(tmp_path / "forest").path
    (path / name).unlink()
    with pytest.raises(BadModelFolder, match=f"{name} is missing"):
        load_model(path)


@pytest.mark.parametrize("name", ["model.txt", "features.json"])
def test_a_changed_file_is_refused(tmp_path, name):
    path = write_forest(tmp_path / "forest").path
    with (path / name).open("a") as file:
        file.write(" ")
    with pytest.raises(BadModelFolder, match=r"files have digest \w{64} but model.toml says \w{64}"):
        load_model(path)


def test_another_feature_set_is_refused_even_under_a_new_digest(tmp_path):
    read = write_forest(tmp_path / "forest")
    other = feature_set(version="2", features=[*reversed(feature_set().model_dump()["features"])])
    toml = forest_folder.write(read.path, read.toml, other).toml
    (read.path / "model.toml").write_text(
        (read.path / "model.toml").read_text().replace(other.digest, feature_set().digest)
    )
    with pytest.raises(BadModelFolder, match=f"is feature set {other.digest} but .* on {feature_set().digest}"):
        load_model(read.path)
    assert toml.feature_set == other.digest


def test_too_few_features_are_refused(tmp_path):
    path = write_forest(tmp_path / "forest", features=feature_set(FEATURES - 1)).path
    with pytest.raises(BadModelFolder, match=r"has 6 features and features\.json 5"):
        load_model(path)


def test_features_in_another_order_than_the_forest_are_refused(tmp_path):
    names = " ".join(f"Column_{index}" for index in range(FEATURES))
    text = model_text()
    assert names in text
    right = " ".join(feature_set().names)
    load_model(write_forest(tmp_path / "right", text.replace(names, right)).path)
    wrong = " ".join(reversed(feature_set().names))
    with pytest.raises(BadModelFolder, match="in another order"):
        load_model(write_forest(tmp_path / "wrong", text.replace(names, wrong)).path)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda text: "tree", "LightGBM cannot read it"),
        (lambda text: text.replace("num_tree_per_iteration=1", "num_tree_per_iteration=2"), "has 2 scores a row"),
    ],
)
def test_a_file_that_is_no_forest_is_refused(tmp_path, damage, problem):
    text = damage(model_text())
    assert text != model_text()
    with pytest.raises(BadModelFolder, match=f"model.txt: .*{problem}"):
        load_model(write_forest(tmp_path / "forest", text).path)


def test_leaves_that_are_not_finite_are_refused(tmp_path):
    lines = model_text(trees=1).splitlines()
    text = "\n".join(
        "leaf_value=" + " ".join(["nan"] * len(line.split())) if line.startswith("leaf_value=") else line
        for line in lines
    )
    with pytest.raises(BadModelFolder, match="got the scores"):
        load_model(write_forest(tmp_path / "forest", text).path)


def test_without_lightgbm_a_forest_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(BadModelFolder, match=r"LightGBM cannot be loaded here .*pip install 'hybridrank\[sidecar\]'"):
        load_model(folder)


def test_lightgbm_is_silent_and_loaded_only_for_forests(folder):
    """A parent process reads the first line on stdout."""
    code = f"""
import json, sys, pathlib
from hybridrank.sidecar.models import trial
before = "lightgbm" in sys.modules
model = trial.load_model(pathlib.Path({str(folder)!r}))
import lightgbm
lightgbm.basic._log_info("what it would print")
sys.stderr.write(json.dumps([before, "lightgbm" in sys.modules]))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == ""
    assert json.loads(ran.stderr.splitlines()[-1]) == [False, True]
