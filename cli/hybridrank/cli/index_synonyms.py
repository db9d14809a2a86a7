"""`hybridrank index synonyms`: other synonyms for an index that is searched already."""

from rich.console import Console

from hybridrank.cli.session import open_engine
from hybridrank.connector.admin.synonyms import check_synonyms, replace_synonyms
from hybridrank.connector.engines.rest.engine import RestEngine

__all__ = ["send_synonyms"]

out = Console(highlight=False, soft_wrap=True)


async def send_synonyms(address: str, index: str, rules: dict[int, str], *, dry_run: bool) -> list[str]:
    """Checks the rules on the cluster and, unless it is a dry run, replaces those there; returns the indices."""
    engine = await open_engine(address)
    try:
        assert isinstance(engine, RestEngine)
        if dry_run:
            return sorted(await check_synonyms(engine, index, rules))
        return sorted(await replace_synonyms(engine, index, rules))
    finally:
        await engine.close()
