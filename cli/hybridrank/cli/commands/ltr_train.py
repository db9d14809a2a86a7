"""`hybridrank ltr train`, `train-clicks` and `log`: rows of features to a model folder, or to a file."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from hybridrank.cli.choices import BASELINE_RANKERS
from hybridrank.cli.json_file import JsonFileOption
from hybridrank.cli.options import EngineOption, SidecarOption, in_folder
from hybridrank.common.counts import counted

__all__ = ["log", "train", "train_clicks"]

out = Console(highlight=False, soft_wrap=True)

Collection = Annotated[Path, typer.Option(help="Folder with corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv (or .gz).")]

Features = Annotated[Path, typer.Option(help="The feature set: a .yaml or .json file.")]

ModelOut = Annotated[Path, typer.Option("--out", help="The model folder to write.")]

Index = Annotated[str, typer.Option(help="Name of the index, filled as needed.", show_default="one for this content")]

Split = Annotated[str, typer.Option("--split", help="Which judgments: qrels/SPLIT.tsv.")]

PipelineName = Annotated[str, typer.Option(help="What finds the candidates, as `hybridrank evaluate` names it.")]

Window = Annotated[int, typer.Option(min=1, max=10_000, help="Candidates a query; as many as will be rescored.")]

Unjudged = Annotated[
    Literal["zero", "drop"],
    typer.Option(help="Candidates that nobody judged: train on them as grade 0, or not at all."),
]

FoldCount = Annotated[int, typer.Option(min=3, help="Cross-validate by query in so many folds.")]

Options = Annotated[
    list[Path] | None,
    typer.Option(
        help="How to train: a .yaml or .json file. Of several, the most restrained first, one is chosen.",
        show_default="defaults",
    ),
]

FoldModelsOut = Annotated[
    Path | None,
    typer.Option(
        "--fold-models",
        metavar="DIR",
        help="Write the models of the cross-validation too, for `evaluate --fold-models`.",
        show_default=False,
    ),
]

Baselines = Annotated[
    str,
    typer.Option(help=f"Rankers to compare with: {', '.join(BASELINE_RANKERS)}; all but linear need torch."),
]

Name = Annotated[str, typer.Option(help="The model's name for callers.")]

Version = Annotated[str, typer.Option(help="The model's version.")]

Licence = Annotated[str, typer.Option(help="Licence of the model, for model.toml.")]


def train(
    collection: Collection,
    features: Features,
    out_folder: ModelOut,
    index: Index = "",
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
    """Train a LambdaMART model on judgments, with a card that says how good it is on queries it has not seen.

    Candidates and features come from the same search that will serve it. Near-equal queries are in one fold.

    Examples:
        hybridrank ltr train --collection ./shop --features shop.yaml --out my-models/shop

        hybridrank serve --models shipped --models my-models
    """
    from hybridrank.cli.ltr_train import plan_training, rows_of_collection, train_model

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
    """Train on what live searches showed and what was clicked, without what the place alone brings.

    Log and events meet by query_id. The features are those that were served.

    Example: hybridrank ltr train-clicks ./log ubi_events.jsonl --features shop.yaml --out my-models/shop
    """
    from hybridrank.cli.ltr_train import plan_training, rows_of_log, train_model

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


def log(
    collection: Collection,
    features: Features,
    out_file: Annotated[
        Path, typer.Option("--out", callback=in_folder, help="The LETOR file to write; zipped when it ends in .gz.")
    ],
    index: Index = "",
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
    split_name: Split = "train",
    pipeline: PipelineName = "rrf",
    window: Window = 50,
    unjudged: Unjudged = "zero",
) -> None:
    """Write the candidates' features and grades as LETOR text, for RankLib, XGBoost or anything else.

    Example: hybridrank ltr log --collection ./shop --features shop.yaml --out shop.letor.gz
    """
    from hybridrank.cli.ltr_train import rows_of_collection
    from hybridrank.cli.nothing_written import NothingWritten
    from hybridrank.ltr_features import FeatureSet
    from hybridrank.training.ltr.letor import write_letor

    feature_set = FeatureSet.load(features)
    where = {"pipeline": pipeline, "index": index, "engine": engine, "sidecar": sidecar}
    data = asyncio.run(rows_of_collection(collection, split_name, feature_set, window=window, **where)).data
    data = data.with_unjudged_as(0) if unjudged == "zero" else data.judged()
    if not len(data.rows):
        raise NothingWritten("no candidate is judged; --unjudged zero keeps those that are not, as grade 0")
    write_letor(out_file, data)
    out.print(
        f"{out_file}: {counted(len(data.rows), 'row')} of {counted(len(data.query_ids), 'query')}; its features are"
    )
    for number, each in enumerate(feature_set.names, start=1):
        out.print(f"{number:4} {each}")
