"""Small real forests, trained in a moment, and the folders they are served from."""

from functools import lru_cache
from pathlib import Path

import lightgbm
import numpy as np

from hybridrank.ltr_features import FeatureSet
from hybridrank.model_files import forest_folder
from hybridrank.model_files.forest_folder import ForestFolder, LambdaMartToml

FEATURES = 6
GROUPS, ROWS = 40, 20


def feature_set(count: int = FEATURES, **fields) -> FeatureSet:
    """So many features that the caller gives."""
    features = [{"kind": "request", "name": f"f{index}", "key": f"k{index}"} for index in range(count)]
    return FeatureSet.model_validate({"name": "tiny", "features": features} | fields)


def odd_rows(rows: int, seed: int, features: int = FEATURES) -> np.ndarray:
    """Numbers of all sizes, zeros, infinities, and one value in six missing."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(rows, features)) * 10.0 ** random.integers(-3, 4, size=(rows, features))
    for odd in (np.nan, np.nan, np.inf, -np.inf, 0.0, -0.0):
        values[random.random(values.shape) < 1 / 12] = odd
    return values


def rows_on_the_edge() -> np.ndarray:
    """Rows whose values are thresholds of the forest, or a bit above: in another precision they go another way."""
    lines = [line.split("=") for line in model_text().splitlines() if line.startswith(("split_feature=", "threshold="))]
    columns = [int(value) for name, values in lines if name == "split_feature" for value in values.split()]
    thresholds = [float(value) for name, values in lines if name == "threshold" for value in values.split()]
    rows = np.zeros((2 * len(columns), FEATURES))
    rows[range(len(columns)), columns] = thresholds
    rows[range(len(columns), 2 * len(columns)), columns] = np.nextafter(thresholds, np.inf)
    return rows


@lru_cache
def model_text(trees: int = 20, seed: int = 0, features: int = FEATURES) -> str:
    """A forest that ranks, as LightGBM writes it; every second feature had no missing values in training."""
    rows = odd_rows(GROUPS * ROWS, seed, features)
    rows[:, ::2] = np.nan_to_num(rows[:, ::2], posinf=5.0, neginf=-5.0)
    grades = np.digitize(np.nan_to_num(rows[:, 0] + rows[:, 1], posinf=0, neginf=0), [-1.0, 0.0, 1.0, 3.0])
    parameters = {"objective": "lambdarank", "num_leaves": 12, "min_data_in_leaf": 5, "num_threads": 1, "seed": seed}
    dataset = lightgbm.Dataset(rows, grades, group=[ROWS] * GROUPS)
    return lightgbm.train(parameters | {"verbosity": -1}, dataset, trees).model_to_string()


def write_forest(
    folder: Path,
    text: str | None = None,
    *,
    features: FeatureSet | None = None,
    name: str = "forest",
    version: str = "1",
) -> ForestFolder:
    """A model folder."""
    folder.mkdir(parents=True)
    (folder / forest_folder.MODEL).write_text(text or model_text())
    toml = LambdaMartToml(name=name, version=version, aliases=(f"{name}-alias",), licence="Apache-2.0")
    return forest_folder.write(folder, toml, features or feature_set())
