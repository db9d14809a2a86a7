"""`hybridrank index bm25`: other k1 and b for an index that is searched already."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options import EngineOption

__all__ = ["bm25"]

out = Console(highlight=False, soft_wrap=True)


def bm25(
    index: Annotated[str, typer.Argument(help="The index, or an alias.", show_default=False)],
    k1: Annotated[float, typer.Option(min=0, help="How soon more of a word stops counting; 0: at once.")] = 1.2,
    b: Annotated[float, typer.Option(min=0, max=1, help="How much a long field is held against it.")] = 0.75,
    engine: EngineOption = "",
) -> None:
    """Have searches count words by this k1 and b.

    No document is written again. The index is closed and opened for it, and searches that come in between fail.

    Example: hybridrank index bm25 docs --k1 0.9 --b 0.4 --engine http://localhost:9200
    """
    from hybridrank.cli.index_bm25 import change_bm25
    from hybridrank.connector.admin.similarity import Bm25Settings

    if not engine or engine.startswith("embedded:"):
        raise typer.BadParameter("the embedded engine's k1 and b are fixed; name a cluster", param_hint="--engine")
    names = asyncio.run(change_bm25(engine, index, Bm25Settings(k1=k1, b=b)))
    out.print(f"searches of {', '.join(names)} count by k1 {k1:g}, b {b:g}", markup=False)
