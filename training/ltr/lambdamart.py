"""The model folder that the sidecar serves: trained, cross-validated, described."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ltr_features import FeatureSet
from sidecar.runtime import forest_folder
from sidecar.runtime.forest_folder import MODEL, ForestFolder, LambdaMartToml
from training.ltr.cross_validation import Fit, Folds, Score
from training.ltr.dataset import RankingData
from training.ltr.exports import ExportFormat, export
from training.ltr.train import TrainingOptions, best_trees, train

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["export_model", "fit_lambdamart", "write_model"]


def fit_lambdamart(
    features: Sequence[str],
    options: TrainingOptions,
    on_trained: Callable[[int], None] = lambda _trees: None,
) -> Fit:
    """For cross-validation; `on_trained` is told how many trees were best for each fold."""

    def fit(data: RankingData, folds: Folds) -> Score:
        trees = best_trees(data, features, options, folds)
        on_trained(trees)
        booster = train(data, features, options, trees)
        return lambda rows: np.asarray(booster.predict(rows, num_threads=options.threads))

    return fit


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
