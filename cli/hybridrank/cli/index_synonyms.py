"""`hybridrank index synonyms`: other synonyms for an index that is searched already."""

from rich.console import Console

from hybridrank.cli.session import open_engine
from hybridrank.connector.admin.synonyms import check_synonyms, replace_synonyms
from hybridrank.connector.engines.base import rest_api

__all__ = ["send_synonyms"]

out = Console(highlight=False, soft_wrap=True)


async def send_synonyms(address: str, index: str, rules: dict[int, str], *, dry_run: bool) -> list[str]:
    """Checks the rules on the cluster and, unless it is a dry run, replaces those there; returns the indices."""
    engine = await open_engine(address)
    try:
        change = check_synonyms if dry_run else replace_synonyms
        return sorted(await change(rest_api(engine), index, rules))
    finally:
        await engine.close()
