"""`hybridrank ltr upload`: puts a feature set and a model into a cluster with an LTR plugin."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer

from hybridrank.cli.options.shared import DryRunOption, JsonOption

__all__ = ["upload"]

NEEDS = ("ltr",)


def upload(
    model: Annotated[Path, typer.Argument(help="A lambdamart model folder.")],
    engine: Annotated[
        str, typer.Option("--engine", envvar="HYBRIDRANK_ENGINE", help="http(s)://[USER:PASSWORD@]HOST:PORT.")
    ],
    to: Annotated[Literal["xgboost", "ranklib"], typer.Option(help="The plugin's format for the trees.")] = "xgboost",
    name: Annotated[str, typer.Option(help="The model's name there.", show_default="NAME-VERSION")] = "",
    index: Annotated[str, typer.Option(help="Index on which the plugin tries every feature first.")] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Delete another model of this name; searches with it fail meanwhile.")
    ] = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put a model and its features into a cluster that has the LTR plugin, for `sltr` queries.

    Run it again at any time: only differences are changed. Models of the plugin cannot be changed, so a new model needs
    a new version. Train it with missing_as_zero: a feature that does not match is 0 there.

    Example: hybridrank ltr upload my-models/shop --engine http://localhost:9200 --dry-run
    """
    from hybridrank.cli.console.steps import out, show
    from hybridrank.cli.session import open_engine
    from hybridrank.connector.engines.base import rest_api
    from hybridrank.connector.engines.rest.answers import reading
    from hybridrank.index_templates.setup_plan import Step, plan
    from hybridrank.training.ltr.upload import carry_out, read_upload, stored_parts

    wanted = read_upload(model, to, name, index)
    parts = wanted.parts()

    async def run() -> tuple[Step, ...]:
        cluster = await open_engine(engine)
        try:
            if "rest" not in cluster.apis:
                raise typer.BadParameter(f"{cluster!r} has no plugins", param_hint="--engine")
            api = rest_api(cluster)
            with reading(api.url):
                found = await stored_parts(api.request, wanted)
            steps = plan(parts, found)
            show(steps, as_json=as_json)
            if not dry_run:
                for step in steps:
                    await carry_out(api.request, step, wanted, replace=replace)
            return steps
        finally:
            await cluster.close()

    steps = asyncio.run(run())
    if not as_json and (not steps or not dry_run):
        out.print(f"done: rescore by the model {wanted.model} (docs/ltr.md)" if steps else "nothing to change")
