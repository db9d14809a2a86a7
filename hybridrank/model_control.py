"""`hybridrank model list`, `load` and `unload`: what sidecars have loaded, and changing it while they serve."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table

from connector import ConnectorError, SidecarClient
from connector.rescore.client import ModelInfo
from hybridrank.session import open_sidecar

__all__ = ["each_sidecar"]

Do = Callable[[SidecarClient], Awaitable[Sequence[ModelInfo]]]


def each_sidecar(sidecars: str, do: Do, what: str, *, as_json: bool) -> None:
    """Do it with each sidecar and print what came back; 1 as exit code when one refused or was not there."""

    async def one(address: str) -> Sequence[ModelInfo]:
        async with open_sidecar(address) as client:
            return await do(client)

    model = Column("model", no_wrap=True)
    table = Table(
        "sidecar", model, "kind", "precision", "tokens", "languages", "aliases", "digest", title=what, box=SIMPLE
    )
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
            table.add_row(
                address,
                name,
                each.kind,
                each.precision,
                tokens,
                ", ".join(each.languages),
                ", ".join(each.aliases),
                each.digest[:8],
            )
    if as_json:
        typer.echo(json.dumps({what: found, "problems": problems}, indent=1))
    elif found:
        Console().print(table)
    for problem in problems:
        typer.echo(f"error: {problem}", err=True)
    if problems:
        raise typer.Exit(1)
