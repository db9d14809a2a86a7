"""The feature sets that a command is given, and which model of the sidecar each is for."""

from collections.abc import Collection, Sequence
from pathlib import Path

import typer

from hybridrank.connector import ModelInfo
from hybridrank.ltr_features import BadFeatureSet, FeatureSet

__all__ = ["by_name", "feature_sets_of", "load_feature_sets"]


def load_feature_sets(files: Sequence[Path] | None) -> list[FeatureSet]:
    """Loads the feature sets that --features names. Raises typer.BadParameter."""
    try:
        return [FeatureSet.load(file) for file in files or ()]
    except BadFeatureSet as error:
        raise typer.BadParameter(str(error), param_hint="--features") from error


def by_name(models: Sequence[ModelInfo]) -> dict[str, ModelInfo]:
    """Every name that leads to a model: its own, with its version, and its aliases."""
    return {name: each for each in models for name in (each.name, f"{each.name}:{each.version}", *each.aliases)}


def feature_sets_of(
    wanted: Collection[str], models: Sequence[ModelInfo], given: Sequence[FeatureSet]
) -> dict[str, FeatureSet]:
    """Model → the one of the given sets that it was trained on, for those of the wanted models that rank by features.

    Raises typer.BadParameter for one whose set is not among them.
    """
    by_digest = {each.digest: each for each in given}
    found = {}
    for model, info in by_name(models).items():
        if model in wanted and info.feature_set:
            its = info.feature_set
            if its.digest not in by_digest:
                digests = ", ".join(f"{digest[:12]}…" for digest in by_digest) or "no set"
                raise typer.BadParameter(
                    f"model {model!r} ranks by feature set {its.name}:{its.version}, digest {its.digest[:12]}…; give"
                    f" its file, features.json of the model folder, not {digests}",
                    param_hint="--features",
                )
            found[model] = by_digest[its.digest]
    return found
