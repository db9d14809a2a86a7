"""`hybridrank train`: a recipe → lists → a trained reranker → a model folder for the sidecar."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hybridrank.options import EngineOption, SidecarOption
from hybridrank.progress import progress
from training.neural.lists import read_lists
from training.neural.recipe import Recipe, load_recipe

__all__ = ["app"]

app = typer.Typer(help="Train rerankers on your own data (needs the train extra).", no_args_is_help=True)

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
    _lists(load_recipe(recipe), collections, out_folder, engine, sidecar)


MaxSteps = Annotated[
    int | None, typer.Option(min=1, help="Stop after so many steps.", show_default="the recipe's epochs")
]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write what was measured on dev.")]


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
        json_file: JsonFile = None,
    ) -> None:
        _train(_recipe(recipe, kind), collections, out_folder, engine, sidecar, max_steps, json_file)

    app.command(name=kind, help=f"{about}\n\n{AGAIN.format(kind=kind)}", short_help=about)(command)


_add_command(
    "cross-encoder", "Train a reranker that reads query and document together; writes a model folder, OUT/model."
)
_add_command("colbert", "Train an encoder for late interaction: MaxSim over its token vectors.")
_add_command("encoder", "Train a dense encoder for kNN, with hard negatives and those of the batch.")


def _recipe(path: Path, kind: str) -> Recipe:
    recipe = load_recipe(path)
    if recipe.kind != kind:
        raise typer.BadParameter(f"{path} is for: hybridrank train {recipe.kind}", param_hint="RECIPE")
    return recipe


def _train(
    recipe: Recipe,
    collections: Path | None,
    folder: Path,
    engine: str,
    sidecar: str,
    max_steps: int | None,
    json_file: Path | None,
) -> None:
    from training.neural import students, trainer  # torch comes with them
    from training.neural.model_card import model_card
    from training.neural.package import package, save_transformers

    train, dev = (list(read_lists(path)) for path in _lists(recipe, collections, folder, engine, sidecar))
    words = (text for each in train for text in (each.query, *each.texts))
    with progress("opening the student", err):
        model, tokenizer = students.open_student(recipe, words)
        run = trainer.make_trainer(recipe, model, tokenizer, train, dev, folder, max_steps=max_steps)
    with progress("timing a few steps", err):
        seconds = trainer.seconds_to_train(run)
    steps, device = trainer.steps_of(run), run.args.device.type
    err.print(f"{len(train)} lists, {steps} steps: about {_duration(seconds)} on {device}")
    with progress(f"training {recipe.name}", err, steps) as advance:
        trainer.run(run, advance)
    with progress("exporting, and measuring int8 beside fp32", err):
        source = save_transformers(run.model, tokenizer, recipe, folder / "transformers")
        packed, measured = package(source, recipe, dev, folder / "model")
    about = {"steps": steps, "trained on": device}
    (folder / "model" / "README.md").write_text(model_card(packed, recipe, train, measured, about), encoding="utf-8")
    if json_file:
        values = {**asdict(measured), "digest": packed.info.digest, "steps": steps}
        json_file.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    table = Table("collection", *measured.served, title=f"nDCG@10 on dev, {packed.info.precision}")
    for name in measured.served["given"]:
        table.add_row(name, *(f"{values[name]:.4f}" for values in measured.served.values()))
    out.print(table)
    if measured.refused:
        err.print(f"note: the model is served at fp32: {measured.refused}", markup=False)
    out.print(f"{folder / 'model'}: {packed.info.kind} {packed.info.name}, digest {packed.info.digest}")


def _lists(recipe: Recipe, collections: Path | None, folder: Path, engine: str, sidecar: str) -> tuple[Path, Path]:
    from hybridrank.train_lists import make_lists

    lists = folder / "lists"
    lists.mkdir(parents=True, exist_ok=True)
    train, dev = asyncio.run(make_lists(recipe, collections, lists, engine, sidecar, err))
    err.print(f"lists: {train} and {dev}")
    return train, dev


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
