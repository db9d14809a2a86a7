"""`hybridrank index bm25`: other k1 and b for an index that is searched already."""

from rich.console import Console

from hybridrank.cli.session import open_engine
from hybridrank.connector.admin.similarity import Bm25Settings, change_bm25_settings
from hybridrank.connector.engines.base import rest_api

__all__ = ["change_bm25"]

out = Console(highlight=False, soft_wrap=True)


async def change_bm25(address: str, index: str, wanted: Bm25Settings) -> list[str]:
    """Changes k1 and b; returns the names of the indices."""
    engine = await open_engine(address)
    try:
        return sorted(await change_bm25_settings(rest_api(engine), index, wanted))
    finally:
        await engine.close()
