"""Options of `hybridrank train`."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Collections", "MaxSteps", "Out", "RecipeFile"]

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe, a YAML file.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="Folder for lists, checkpoints, curves and the model.")]
Collections = Annotated[
    Path | None,
    typer.Option(
        help="Folder that holds the recipe's collections, each in BEIR's layout.",
        envvar="HYBRIDRANK_COLLECTIONS",
        show_default="the current folder",
    ),
]


MaxSteps = Annotated[
    int | None, typer.Option(min=1, help="Stop after this many steps.", show_default="the recipe's epochs")
]
