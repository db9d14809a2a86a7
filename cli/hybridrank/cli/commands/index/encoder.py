"""`hybridrank index encoder`: notes in an index the encoder of its vectors."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options.shared import EngineOption, SidecarOption

__all__ = ["encoder"]

out = Console(highlight=False, soft_wrap=True)


def encoder(
    index: Annotated[str, typer.Argument(help="The index, or an alias.", show_default=False)],
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
    field: Annotated[str, typer.Option(help="The field that holds the vectors.")] = "vector",
    model: Annotated[str, typer.Option(help="The sidecar's model that made them.")] = "encoder",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what the index notes; change nothing.")] = False,
) -> None:
    """Note in an index the encoder of its vectors, so that no search compares them with those of another.

    `hybridrank index` notes it by itself. Use this for vectors of the sidecar's model that another program wrote.

    Examples:
    hybridrank index encoder docs --engine http://localhost:9200 --dry-run
    hybridrank index encoder shop --field embedding --engine http://localhost:9200 --sidecar localhost:50051
    """
    from hybridrank.cli.actions.index_encoder import note_encoder, noted_encoders
    from hybridrank.cli.session import default_engine

    address = engine or default_engine()
    lines = noted_encoders(address, index, field) if dry_run else note_encoder(address, index, sidecar, field, model)
    for line in asyncio.run(lines):
        out.print(line, markup=False)
