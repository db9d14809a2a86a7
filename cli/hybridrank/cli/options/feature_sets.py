"""The option `--features`."""

from collections.abc import Sequence
from pathlib import Path

import typer

from hybridrank.ltr_features import BadFeatureSet, FeatureSet

__all__ = ["load_feature_sets"]


def load_feature_sets(files: Sequence[Path] | None) -> list[FeatureSet]:
    """Loads the feature sets. Raises BadParameter."""
    try:
        return [FeatureSet.load(file) for file in files or ()]
    except BadFeatureSet as error:
        raise typer.BadParameter(str(error), param_hint="--features") from error
