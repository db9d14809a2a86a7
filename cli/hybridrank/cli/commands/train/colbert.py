"""`hybridrank train colbert`: an encoder for late interaction."""

from hybridrank.cli.options.json_file import JsonFileOption
from hybridrank.cli.options.recipes import Collections, MaxSteps, Out, RecipeFile
from hybridrank.cli.options.shared import EngineOption, SidecarOption

__all__ = ["colbert"]

NEEDS = ("eval", "sidecar", "train")


def colbert(
    recipe: RecipeFile,
    out_folder: Out,
    collections: Collections = None,
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
    max_steps: MaxSteps = None,
    json_file: JsonFileOption = None,
) -> None:
    """Train an encoder for late interaction: MaxSim over its token vectors.

    Run it again to continue after an interruption: OUT keeps lists and checkpoints.
    int8 is written if it ranks dev as well as fp32, within 0.005 nDCG@10.

    Examples:
    hybridrank train colbert recipe.yaml --out training-run --collections ./data
    hybridrank train colbert recipe.yaml --out trial --max-steps 20
    """
    from hybridrank.cli.actions.train import recipe_of, train_model

    train_model(recipe_of(recipe, "colbert"), collections, out_folder, engine, sidecar, max_steps, json_file)
