"""Steps of `hybridrank train`: a recipe → lists → a trained reranker → a model folder for the sidecar."""

import asyncio
from dataclasses import asdict
from functools import partial
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from hybridrank.cli.bench import open_bench
from hybridrank.cli.console.progress import ConsoleProgress, progress
from hybridrank.cli.options.json_file import JsonFile
from hybridrank.cli.session import default_engine
from hybridrank.common.counts import counted
from hybridrank.training.neural.lists import read_lists
from hybridrank.training.neural.recipe import Recipe, load_recipe

__all__ = ["make_recipe_lists", "recipe_of", "train_model"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def recipe_of(path: Path, kind: str) -> Recipe:
    """Loads a recipe for models of this kind. Raises BadParameter for another kind."""
    recipe = load_recipe(path)
    if recipe.kind != kind:
        raise typer.BadParameter(f"{path} is for: hybridrank train {recipe.kind}", param_hint="RECIPE")
    return recipe


def train_model(
    recipe: Recipe,
    collections: Path | None,
    folder: Path,
    engine: str,
    sidecar: str,
    max_steps: int | None,
    json_file: JsonFile | None,
) -> None:
    """Trains the model of a recipe, writes its folder with a card, and prints its measures on dev."""
    from hybridrank.training.neural import students, trainer  # imports torch
    from hybridrank.training.neural.model_card import model_card
    from hybridrank.training.neural.package import package, save_transformers

    train, dev = (list(read_lists(path)) for path in make_recipe_lists(recipe, collections, folder, engine, sidecar))
    words = (text for each in train for text in (each.query, *each.texts))
    with progress("opening the student", err):
        model, tokenizer, reading = students.open_student(recipe, words)
        run = trainer.make_trainer(recipe, model, tokenizer, train, dev, folder, reading=reading, max_steps=max_steps)
    with progress("timing a few steps", err):
        seconds = trainer.seconds_to_train(run)
    steps, device = trainer.steps_of(run), run.args.device.type
    err.print(f"{counted(len(train), 'list')}, {counted(steps, 'step')}: about {_duration(seconds)} on {device}")
    with progress(f"training {recipe.name}", err, steps) as advance:
        trainer.run(run, advance)
    with progress("exporting, and measuring int8 beside fp32", err):
        source = save_transformers(run.model, tokenizer, recipe, reading, folder / "transformers")
        packed, measured = package(source, recipe, dev, folder / "model")
    about = {"steps": steps, "trained on": device}
    (folder / "model" / "README.md").write_text(model_card(packed, recipe, train, measured, about), encoding="utf-8")
    if json_file:
        json_file.write({**asdict(measured), "digest": packed.info.digest, "steps": steps})
    table = Table("collection", *measured.served, title=f"nDCG@10 on dev, {packed.info.precision}")
    for name in measured.served["given"]:
        table.add_row(name, *(f"{values[name]:.4f}" for values in measured.served.values()))
    out.print(table)
    if measured.refused:
        err.print(f"note: the model is served at fp32: {measured.refused}", markup=False)
    out.print(f"{folder / 'model'}: {packed.info.kind} {packed.info.name}, digest {packed.info.digest}")


def make_recipe_lists(
    recipe: Recipe, collections: Path | None, folder: Path, engine: str, sidecar: str
) -> tuple[Path, Path]:
    """Writes the recipe's lists below `folder`, unless they exist; returns the files for training and for dev."""
    from hybridrank.training.neural.make_lists import make_lists

    lists = folder / "lists"
    lists.mkdir(parents=True, exist_ok=True)
    opened = partial(open_bench, engine or default_engine(), sidecar, (), ConsoleProgress(err))
    train, dev = asyncio.run(make_lists(recipe, collections, lists, opened))
    err.print(f"lists: {train} and {dev}")
    return train, dev


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
