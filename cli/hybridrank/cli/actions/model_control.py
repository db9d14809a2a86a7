"""`hybridrank model list`, `load` and `unload`: the loaded models of sidecars that serve."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict

import typer
from rich.console import Console
from rich.table import Column, Table

from hybridrank.cli.session import open_sidecar
from hybridrank.connector import ConnectorError, SidecarClient
from hybridrank.connector.sidecar_client.client import ModelInfo

__all__ = ["each_sidecar"]

out = Console()

Do = Callable[[SidecarClient], Awaitable[Sequence[ModelInfo]]]


def each_sidecar(sidecars: str, do: Do, what: str, *, as_json: bool) -> None:
    """Calls `do` with each sidecar and prints the models; exits with 1 if a sidecar refuses or cannot be reached."""

    async def one(address: str) -> Sequence[ModelInfo]:
        async with open_sidecar(address) as client:
            return await do(client)

    found, problems, tables = [], [], []
    addresses = [each.strip() for each in sidecars.split(",") if each.strip()]
    if not addresses:
        raise typer.BadParameter("expected HOST:PORT", param_hint="--sidecar")
    for address in addresses:
        try:
            models = asyncio.run(one(address))
        except ConnectorError as error:
            problems.append(str(error))
            continue
        found += [{"sidecar": address, **asdict(each)} for each in models]
        tables.append((address, _table(models)))
    if as_json:
        typer.echo(json.dumps({what: found, "problems": problems}, indent=1))
    for address, table in () if as_json else tables:
        out.print(f"{address} {what}:", markup=False, highlight=False)
        out.print(table)
    for problem in problems:
        typer.echo(f"error: {problem}", err=True)
    if problems:
        raise typer.Exit(1)


def _table(models: Sequence[ModelInfo]) -> Table:
    """Returns a table with a row per model, none of which is cut at 80 columns."""
    whole = (Column(name, overflow="fold", no_wrap=True) for name in ("model, digest", "kind", "tokens"))
    table = Table(*whole, "languages", "aliases", box=None, padding=(0, 1, 0, 0))
    for each in models:
        table.add_row(
            f"{each.name}:{each.version}\n{each.digest[:8]}",
            f"{each.kind}, {each.precision}",
            str(each.max_tokens),
            " ".join(each.languages),
            " ".join(each.aliases),
        )
    return table
