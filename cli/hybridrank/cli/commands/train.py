"""`hybridrank train`: a recipe → lists → a trained reranker → a model folder for the sidecar."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.json_file import JsonFileOption
from hybridrank.cli.options import EngineOption, SidecarOption

__all__ = ["app"]

app = typer.Typer(
    help="Train rerankers on your own data (needs the train extra).", no_args_is_help=True, add_completion=False
)

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="The YAML file that says how.", show_default=False)]
Out = Annotated[Path, typer.Option("--out", help="Folder for lists, checkpoints, curves and the model.")]
Collections = Annotated[
    Path | None,
    typer.Option(
        help="Folder that holds the recipe's collections, each in BEIR's layout.",
        envvar="HYBRIDRANK_COLLECTIONS",
        show_default="where you are",
    ),
]


@app.callback()
def train() -> None:
    """Train rerankers on your own data (needs the train extra)."""


@app.command()
def mine(
    recipe: RecipeFile,
    out_folder: Out,
    collections: Collections = None,
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
) -> None:
    """Make the lists of a recipe and stop: hard negatives from an index, scored by the teacher.

    `train cross-encoder` does this by itself. The files are JSON lines with texts, to look at and to mend.

    Examples:
        hybridrank train mine recipe.yaml --out training-run --collections ./data
    """
    from hybridrank.cli.train import make_recipe_lists
    from hybridrank.training.neural.recipe import load_recipe

    make_recipe_lists(load_recipe(recipe), collections, out_folder, engine, sidecar)


MaxSteps = Annotated[
    int | None, typer.Option(min=1, help="Stop after so many steps.", show_default="the recipe's epochs")
]

AGAIN = """Run it again to go on where it was interrupted: OUT keeps lists and checkpoints.
int8 is written where it ranks dev as well as fp32, within 0.005 nDCG@10.

Examples:
hybridrank train {kind} recipe.yaml --out training-run --collections ./data
hybridrank train {kind} recipe.yaml --out trial --max-steps 20
"""


def _add_command(kind: str, about: str) -> None:
    """One command a kind of model; they differ in what the recipe has to be for."""

    def command(
        recipe: RecipeFile,
        out_folder: Out,
        collections: Collections = None,
        engine: EngineOption = "",
        sidecar: SidecarOption = "auto",
        max_steps: MaxSteps = None,
        json_file: JsonFileOption = None,
    ) -> None:
        from hybridrank.cli.train import recipe_of, train_model

        train_model(recipe_of(recipe, kind), collections, out_folder, engine, sidecar, max_steps, json_file)

    app.command(name=kind, help=f"{about}\n\n{AGAIN.format(kind=kind)}", short_help=about)(command)


_add_command(
    "cross-encoder", "Train a reranker that reads query and document together; writes a model folder, OUT/model."
)
_add_command("colbert", "Train an encoder for late interaction: MaxSim over its token vectors.")
_add_command("encoder", "Train a dense encoder for kNN, with hard negatives and those of the batch.")
