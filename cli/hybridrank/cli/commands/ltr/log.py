"""`hybridrank ltr log`: features and grades of candidates as LETOR text."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options.ltr import Features, PipelineName, Split, Unjudged, Window
from hybridrank.cli.options.shared import (
    EngineOption,
    FilledIndexOption,
    JudgedCollectionOption,
    SidecarOption,
    in_folder,
)
from hybridrank.common.counts import counted

__all__ = ["log"]

NEEDS = ("eval", "ltr")

out = Console(highlight=False, soft_wrap=True)


def log(
    collection: JudgedCollectionOption,
    features: Features,
    out_file: Annotated[
        Path, typer.Option("--out", callback=in_folder, help="The LETOR file to write; zipped when it ends in .gz.")
    ],
    index: FilledIndexOption = "",
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
    from hybridrank.cli.actions.ltr_train import rows_of_collection
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
