"""Names of pipelines in options."""

import typer

from hybridrank.evaluation.experiments.pipelines import Pipeline, parse_pipeline

__all__ = ["pipeline_named", "pipelines_named"]


def pipeline_named(name: str, option: str) -> Pipeline:
    """Returns the pipeline. Raises BadParameter for that option."""
    try:
        return parse_pipeline(name.strip())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def pipelines_named(names: str) -> list[Pipeline]:
    """Returns the pipelines of the comma-separated list `--pipelines`. Raises BadParameter."""
    return [pipeline_named(name, "--pipelines") for name in names.split(",")]
