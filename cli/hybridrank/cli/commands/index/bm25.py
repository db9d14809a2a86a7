"""`hybridrank index bm25`: changes k1 and b of an existing index."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options.shared import EngineOption

__all__ = ["bm25"]

out = Console(highlight=False, soft_wrap=True)


def bm25(
    index: Annotated[str, typer.Argument(help="The index, or an alias.", show_default=False)],
    k1: Annotated[float, typer.Option(min=0, help="Term-frequency saturation; 0 ignores the frequency.")] = 1.2,
    b: Annotated[float, typer.Option(min=0, max=1, help="Normalisation by field length; 0 ignores the length.")] = 0.75,
    engine: EngineOption = "",
) -> None:
    """Change BM25's k1 and b for an index.

    No document is written again. The index is closed and opened again; searches in between fail.

    Example: hybridrank index bm25 docs --k1 0.9 --b 0.4 --engine http://localhost:9200
    """
    from hybridrank.cli.session import open_cluster
    from hybridrank.connector.admin.similarity import Bm25Settings, change_bm25_settings
    from hybridrank.connector.engines.base import rest_api

    async def change() -> list[str]:
        async with open_cluster(engine, "the embedded engine's k1 and b are fixed") as cluster:
            return sorted(await change_bm25_settings(rest_api(cluster), index, Bm25Settings(k1=k1, b=b)))

    out.print(f"BM25 for {', '.join(asyncio.run(change()))}: k1={k1:g}, b={b:g}", markup=False)
