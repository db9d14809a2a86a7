"""`hybridrank ltr export`: a model for an LTR plugin or for Vespa."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from hybridrank.cli.options.shared import in_folder

__all__ = ["export"]

NEEDS = ("ltr",)


def export(
    model: Annotated[Path, typer.Argument(help="A lambdamart model folder.")],
    to: Annotated[
        Literal["xgboost", "ranklib", "lightgbm", "featureset"],
        typer.Option(help="Trees for LTR plugins (xgboost, ranklib) or Vespa (lightgbm), or the plugins' feature set."),
    ],
    out: Annotated[Path, typer.Option(callback=in_folder, help="The file to write.")],
) -> None:
    """Write a model for an LTR plugin or for Vespa. A model that the format cannot express is refused.

    Example: hybridrank ltr export my-models/shop --to xgboost --out shop.xgboost.json
    """
    from hybridrank.ltr_features.sltr import feature_set_body
    from hybridrank.model_files import forest_folder
    from hybridrank.training.ltr.lambdamart import export_model

    folder = forest_folder.read(model)
    if to == "featureset":
        text = json.dumps(feature_set_body(folder.feature_set), indent=1) + "\n"
    else:
        text = export_model(folder, to)
    out.write_text(text, encoding="utf-8")
    typer.echo(f"{out}: {folder.toml.name}:{folder.toml.version} for {to}")
