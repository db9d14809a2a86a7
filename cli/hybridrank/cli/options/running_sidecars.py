"""Option of commands that change what sidecars have loaded."""

from typing import Annotated

import typer

__all__ = ["RunningSidecars"]

RunningSidecars = Annotated[
    str,
    typer.Option("--sidecar", envvar="HYBRIDRANK_SIDECAR", help="HOST:PORT; of several, separated by commas, each."),
]
