"""`hybridrank ltr train`: a LambdaMART model from judgments."""

import asyncio
from dataclasses import replace

from hybridrank.cli.options.json_file import JsonFileOption
from hybridrank.cli.options.ltr import (
    Baselines,
    Features,
    FoldCount,
    FoldModelsOut,
    Licence,
    ModelOut,
    Name,
    Options,
    PipelineName,
    Split,
    Unjudged,
    Version,
    Window,
)
from hybridrank.cli.options.shared import EngineOption, FilledIndexOption, JudgedCollectionOption, SidecarOption

__all__ = ["train"]

NEEDS = ("eval", "ltr")


def train(
    collection: JudgedCollectionOption,
    features: Features,
    out_folder: ModelOut,
    index: FilledIndexOption = "",
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
    split_name: Split = "train",
    pipeline: PipelineName = "rrf",
    window: Window = 50,
    unjudged: Unjudged = "zero",
    folds: FoldCount = 5,
    options: Options = None,
    baselines: Baselines = "linear",
    name: Name = "lambdamart",
    version: Version = "1",
    licence: Licence = "unknown",
    json_file: JsonFileOption = None,
    fold_models: FoldModelsOut = None,
) -> None:
    """Train a LambdaMART model on judgments; its card has the measures on queries that it has not seen.

    Candidates and features come from the same search that will serve it. Near-equal queries are in one fold.

    Examples:
        hybridrank ltr train --collection ./shop --features shop.yaml --out my-models/shop

        hybridrank serve --models shipped --models my-models
    """
    from hybridrank.cli.actions.ltr_train import plan_training, rows_of_collection, train_model

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
        fold_models=fold_models,
    )
    where = {"pipeline": pipeline, "index": index, "engine": engine, "sidecar": sidecar}
    found = asyncio.run(rows_of_collection(collection, split_name, plan.feature_set, window=window, **where))
    if unjudged == "zero":
        found = replace(found, data=found.data.with_unjudged_as(0))
    train_model(found, plan, {"unjudged": "trained on as grade 0" if unjudged == "zero" else "left out of training"})
