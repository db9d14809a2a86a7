"""LightGBM's own example for ranking: trained by LightGBM, served through the RPC, scored as LightGBM scores it."""

import lightgbm
import numpy as np
import pytest

from hybridrank.connector import SidecarClient
from hybridrank.sidecar.models.loading import load
from hybridrank.training.ltr.letor import read_letor, read_sizes
from tests.sidecar.forests import feature_set, write_forest
from tests.sidecar.serving import serving

PARAMETERS = {"objective": "lambdarank", "num_leaves": 31, "min_data_in_leaf": 50, "verbosity": -1, "num_threads": 2}


@pytest.fixture
def example(collections):
    folder = collections / "ltr-lightgbm"
    return {
        name: read_letor(folder / f"rank.{name}.gz", absent=0.0, sizes=read_sizes(folder / f"rank.{name}.query"))
        for name in ("train", "test")
    }


async def test_served_scores_are_those_of_predict_on_every_test_query(example, tmp_path):
    train, test = example["train"], example["test"]
    features = feature_set(train.rows.shape[1])
    dataset = lightgbm.Dataset(train.rows, train.grades, group=list(train.sizes))
    booster = lightgbm.train(PARAMETERS, dataset, num_boost_round=100)
    models = load([write_forest(tmp_path / "forest", booster.model_to_string(), features=features).path])
    rows = np.zeros((len(test.rows), len(features.names)))  # the last features may be absent from every test row
    rows[:, : test.rows.shape[1]] = test.rows
    async with serving(models) as served, SidecarClient(served.address) as client:
        for _, place in test.groups():
            scores = await client.rescore_features(
                rows[place].tolist(), feature_set_digest=features.digest, model="forest", timeout_s=10
            )
            assert [each.score for each in scores] == booster.predict(rows[place]).tolist()
            assert len({each.score for each in scores}) > 1
    assert (len(test.sizes), len(rows)) == (50, 768)
