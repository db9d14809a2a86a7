"""`hybridrank train encoder`: a dense encoder for kNN."""

from hybridrank.cli.options.json_file import JsonFileOption
from hybridrank.cli.options.recipes import Collections, MaxSteps, Out, RecipeFile
from hybridrank.cli.options.shared import EngineOption, SidecarOption

__all__ = ["encoder"]

NEEDS = ("eval", "sidecar", "train")


def encoder(
    recipe: RecipeFile,
    out_folder: Out,
    collections: Collections = None,
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
    max_steps: MaxSteps = None,
    json_file: JsonFileOption = None,
) -> None:
    """Train a dense encoder for kNN, with hard negatives and those of the batch.

    Run it again to continue after an interruption: OUT keeps lists and checkpoints.
    int8 is written if it ranks dev as well as fp32, within 0.005 nDCG@10.

    Examples:
    hybridrank train encoder recipe.yaml --out training-run --collections ./data
    hybridrank train encoder recipe.yaml --out trial --max-steps 20
    """
    from hybridrank.cli.actions.train import recipe_of, train_model

    train_model(recipe_of(recipe, "encoder"), collections, out_folder, engine, sidecar, max_steps, json_file)
