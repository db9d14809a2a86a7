"""Trains, cross-validates and describes the model folder that the sidecar serves."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybridrank.common.counts import counted
from hybridrank.evaluation.experiments.fold_models import FoldModels
from hybridrank.ltr_features import FeatureSet
from hybridrank.model_files import forest_folder
from hybridrank.model_files.forest_folder import MODEL, ForestFolder, LambdaMartToml
from hybridrank.training.ltr.cross_validation import Fit, Folds, Score
from hybridrank.training.ltr.dataset import RankingData
from hybridrank.training.ltr.exports import ExportFormat, export
from hybridrank.training.ltr.selection import Choice, choose
from hybridrank.training.ltr.train import TrainingOptions, train

if TYPE_CHECKING:
    from lightgbm import Booster

__all__ = ["Trained", "export_model", "fit_lambdamart", "write_fold_models", "write_model"]


@dataclass(frozen=True, slots=True)
class Trained:
    """A forest, and its training."""

    choice: Choice
    booster: "Booster"


def fit_lambdamart(
    features: Sequence[str],
    settings: Mapping[str, TrainingOptions],
    on_trained: Callable[[Trained], None] = lambda _trained: None,
) -> Fit:
    """Returns a fit that also chooses the setting within the training data. `on_trained` gets each fold's."""

    def fit(data: RankingData, folds: Folds) -> Score:
        choice = choose(data, features, settings, folds)
        booster = train(data, features, choice.options, choice.trees)
        on_trained(Trained(choice, booster))
        return lambda rows: np.asarray(booster.predict(rows, num_threads=1))

    return fit


def export_model(folder: ForestFolder, to: ExportFormat) -> str:
    """Returns the model of a folder in another server's format. Raises CannotExport."""
    return export(load_booster(folder), to)


def load_booster(folder: ForestFolder) -> "Booster":
    """Returns the forest of a folder."""
    import lightgbm

    return lightgbm.Booster(model_file=str(folder.model))


def write_model(
    out: Path, booster: "Booster", feature_set: FeatureSet, *, name: str, version: str, licence: str, card: str
) -> ForestFolder:
    """Writes model.txt, features.json, model.toml and README.md into `out`; creates it, or replaces its model."""
    toml = LambdaMartToml(name=name, version=version, licence=licence)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as place:
        draft = Path(place)
        booster.save_model(str(draft / MODEL))
        forest_folder.write(draft, toml, feature_set)
        (draft / "README.md").write_text(card, encoding="utf-8")
        last = "model.toml"  # written last, because its digests cover the other files
        for file in sorted(draft.iterdir(), key=lambda each: each.name == last):
            file.replace(out / file.name)
    return forest_folder.read(out)


def write_fold_models(
    out: Path,
    trained: Sequence[Trained],
    folds: Folds,
    queries: Mapping[str, str],
    feature_set: FeatureSet,
    *,
    name: str,
    version: str,
    licence: str,
) -> None:
    """Writes each fold's forest, which has not seen the fold's queries (query_id → text), and folds.json."""
    held_out = {}
    for number, (each, fold) in enumerate(zip(trained, folds, strict=True), start=1):
        model = f"{name}-fold-{number}"
        held = counted(len(fold), "query")
        card = f"# {model}\n\nFor measuring {name} on {held} that this forest has not seen; serve {name}.\n"
        write_model(out / model, each.booster, feature_set, name=model, version=version, licence=licence, card=card)
        held_out[model] = {query_id: queries[query_id] for query_id in fold}
    FoldModels(out, name, held_out).save()
