"""`hybridrank model list`, `load` and `unload`: what sidecars have loaded, and changing it while they serve."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from connector import ConnectorError, SidecarClient
from connector.rescore.client import ModelInfo
from hybridrank.options import JsonOption
from hybridrank.session import open_sidecar

__all__ = ["list_models", "load", "unload"]

Running = Annotated[
    str,
    typer.Option("--sidecar", envvar="HYBRIDRANK_SIDECAR", help="HOST:PORT; of several, separated by commas, each."),
]
Do = Callable[[SidecarClient], Awaitable[Sequence[ModelInfo]]]


def list_models(sidecar: Running = "127.0.0.1:50051", as_json: JsonOption = False) -> None:
    """List what is loaded.

    Example: hybridrank model list --sidecar search-1:50051,search-2:50051
    """
    _each(sidecar, lambda client: client.models(), "serves", as_json=as_json)


def load(
    path: Annotated[str, typer.Argument(help="A model folder on the sidecar's disk, below one of its setting models.")],
    sidecar: Running = "127.0.0.1:50051",
    as_json: JsonOption = False,
) -> None:
    """Load a folder and have the model's name lead to it; the sidecar needs --model-control.

    Example: hybridrank model load cross-encoder/2 --sidecar search-1:50051
    """

    async def one(client: SidecarClient) -> Sequence[ModelInfo]:
        return [await client.load_model(path)]

    _each(sidecar, one, "loaded", as_json=as_json)


def unload(
    model: Annotated[str, typer.Argument(help="A name, with all its versions, or name:version.")],
    sidecar: Running = "127.0.0.1:50051",
    as_json: JsonOption = False,
) -> None:
    """Take a model out; the sidecar needs --model-control. Calls that run with it end as usual.

    Example: hybridrank model unload cross-encoder:1 --sidecar search-1:50051
    """
    _each(sidecar, lambda client: client.unload_model(model), "unloaded", as_json=as_json)


def _each(sidecars: str, do: Do, what: str, *, as_json: bool) -> None:
    """Do it with each sidecar and print what came back; 1 as exit code when one refused or was not there."""

    async def one(address: str) -> Sequence[ModelInfo]:
        async with open_sidecar(address) as client:
            return await do(client)

    model = Column("model", no_wrap=True)
    table = Table("sidecar", model, "kind", "precision", "tokens", "aliases", "digest", title=what, box=SIMPLE)
    found, problems = [], []
    for address in filter(None, map(str.strip, sidecars.split(","))):
        try:
            models = asyncio.run(one(address))
        except ConnectorError as error:
            problems.append(str(error))
            continue
        found += [{"sidecar": address, **asdict(each)} for each in models]
        for each in models:
            name, tokens = f"{each.name}:{each.version}", str(each.max_tokens)
            table.add_row(address, name, each.kind, each.precision, tokens, ", ".join(each.aliases), each.digest[:8])
    if as_json:
        typer.echo(json.dumps({what: found, "problems": problems}, indent=1))
    elif found:
        Console().print(table)
    for problem in problems:
        typer.echo(f"error: {problem}", err=True)
    if problems:
        raise typer.Exit(1)
