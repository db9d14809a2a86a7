"""`hybridrank ltr train-clicks`: a LambdaMART model from a log of live searches."""

from pathlib import Path
from typing import Annotated

import typer

from hybridrank.cli.options.json_file import JsonFileOption
from hybridrank.cli.options.ltr import Baselines, Features, FoldCount, Licence, ModelOut, Name, Options, Version

__all__ = ["train_clicks"]

NEEDS = ("eval", "ltr")


def train_clicks(
    feature_log: Annotated[Path, typer.Argument(help="The folder of a FeatureLog.")],
    events: Annotated[Path, typer.Argument(help="UBI events of the same searches, as JSON lines.")],
    features: Features,
    out_folder: ModelOut,
    folds: FoldCount = 5,
    options: Options = None,
    baselines: Baselines = "linear",
    name: Name = "lambdamart",
    version: Version = "1",
    licence: Licence = "unknown",
    json_file: JsonFileOption = None,
) -> None:
    """Train on impressions and clicks of live searches, corrected for the effect of the rank.

    Log and events are joined by query_id. The features are those that were served.

    Example: hybridrank ltr train-clicks ./log ubi_events.jsonl --features shop.yaml --out my-models/shop
    """
    from hybridrank.cli.actions.ltr_train import plan_training, rows_of_log, train_model

    plan = plan_training(
        features=features,
        options=options,
        baselines=baselines,
        folds=folds,
        out_folder=out_folder,
        name=name,
        version=version,
        licence=licence,
        json_file=json_file,
    )
    train_model(rows_of_log(feature_log, events, plan.feature_set), plan, {})
