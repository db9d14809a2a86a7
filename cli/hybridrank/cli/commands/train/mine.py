"""`hybridrank train mine`: the lists of a recipe."""

from hybridrank.cli.options.recipes import Collections, Out, RecipeFile
from hybridrank.cli.options.shared import EngineOption, SidecarOption

__all__ = ["mine"]

NEEDS = ("eval",)


def mine(
    recipe: RecipeFile,
    out_folder: Out,
    collections: Collections = None,
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
) -> None:
    """Make the lists of a recipe and stop: hard negatives from an index, scored by the teacher.

    `train cross-encoder` does this by itself. The files are JSON lines with texts, which you can read and correct.

    Examples:
        hybridrank train mine recipe.yaml --out training-run --collections ./data
    """
    from hybridrank.cli.actions.train import make_recipe_lists
    from hybridrank.training.neural.recipe import load_recipe

    make_recipe_lists(load_recipe(recipe), collections, out_folder, engine, sidecar)
