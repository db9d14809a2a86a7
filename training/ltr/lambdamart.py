"""The model folder that the sidecar serves: trained, cross-validated, described."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from ltr_features import FeatureSet
from sidecar.runtime import forest_folder
from sidecar.runtime.forest_folder import MODEL, ForestFolder, LambdaMartToml
from training.ltr.cross_validation import Fit, Score
from training.ltr.dataset import RankingData
from training.ltr.exports import ExportFormat, export
from training.ltr.train import TrainingOptions, train

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["export_model", "fit_lambdamart", "train_on_all", "write_model"]


def fit_lambdamart(
    features: Sequence[str],
    options: TrainingOptions,
    on_trained: Callable[[int], None] = lambda _trees: None,
) -> Fit:
    """For cross-validation; `on_trained` is told how many trees were best on each dev set."""

    def fit(data: RankingData, dev: RankingData) -> Score:
        booster = train(data, features, options, dev=dev)
        on_trained(booster.num_trees())
        return lambda rows: np.asarray(booster.predict(rows))

    return fit


def train_on_all(
    data: RankingData,
    features: Sequence[str],
    options: TrainingOptions,
    trees: Sequence[int],
    on_tree: Callable[[], None] = lambda: None,
) -> "Booster":
    """On all the rows, with as many trees as were best in the median of the folds: nothing is kept back to stop on."""
    count = max(1, round(median(trees)))
    return train(data, features, options.model_copy(update={"max_trees": count}), on_tree=on_tree)


def export_model(folder: ForestFolder, to: ExportFormat) -> str:
    """The model of a folder in another server's format. Raises CannotExport."""
    import lightgbm

    return export(lightgbm.Booster(model_file=str(folder.model)), to)


def write_model(
    out: Path, booster: "Booster", feature_set: FeatureSet, *, name: str, version: str, licence: str, card: str
) -> ForestFolder:
    """Write model.txt, features.json, model.toml and README.md into `out`, which is made; a model there is replaced."""
    toml = LambdaMartToml(name=name, version=version, licence=licence)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as place:
        draft = Path(place)
        booster.save_model(str(draft / MODEL))
        forest_folder.write(draft, toml, feature_set)
        (draft / "README.md").write_text(card, encoding="utf-8")
        last = "model.toml"  # it vouches for the rest
        for file in sorted(draft.iterdir(), key=lambda each: each.name == last):
            file.replace(out / file.name)
    return forest_folder.read(out)
