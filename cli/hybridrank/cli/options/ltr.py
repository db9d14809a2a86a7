"""Options of `hybridrank ltr`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from hybridrank.cli.options.choices import BASELINE_RANKERS

__all__ = [
    "Baselines",
    "Features",
    "FoldCount",
    "FoldModelsOut",
    "Licence",
    "ModelOut",
    "Name",
    "Options",
    "PipelineName",
    "Split",
    "Unjudged",
    "Version",
    "Window",
]

Features = Annotated[Path, typer.Option(help="The feature set: a .yaml or .json file.")]

ModelOut = Annotated[Path, typer.Option("--out", help="The model folder to write.")]

Split = Annotated[str, typer.Option("--split", help="The judgments: qrels/SPLIT.tsv.")]

PipelineName = Annotated[str, typer.Option(help="The pipeline of the candidates, as in `hybridrank evaluate`.")]

Window = Annotated[int, typer.Option(min=1, max=10_000, help="Candidates per query; as many as will be rescored.")]

Unjudged = Annotated[
    Literal["zero", "drop"],
    typer.Option(help="Unjudged candidates: train on them as grade 0, or drop them."),
]

FoldCount = Annotated[int, typer.Option(min=3, help="Number of folds of the cross-validation by query.")]

Options = Annotated[
    list[Path] | None,
    typer.Option(
        help="Training options: a .yaml or .json file. Of several, the most regularised first, one is chosen.",
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
