"""`hybridrank index synonyms`: replaces the synonyms of an existing index."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options.shared import EngineOption
from hybridrank.common.counts import counted

__all__ = ["synonyms"]

out = Console(highlight=False, soft_wrap=True)


def synonyms(
    index: Annotated[str, typer.Argument(help="The index, or an alias.", show_default=False)],
    file: Annotated[
        Path, typer.Argument(help="Rules: `a, b` or `a, b => c` a line, # comments.", exists=True, show_default=False)
    ],
    engine: EngineOption = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Try the rules; change nothing.")] = False,
) -> None:
    """Replace the synonyms of an index by those of a file; an empty file removes them.

    No document is written again. The index is closed and opened again; searches in between fail.

    Examples:
    hybridrank index synonyms docs synonyms.txt --engine http://localhost:9200 --dry-run
    hybridrank index synonyms docs synonyms.txt --engine http://localhost:9200
    """
    from hybridrank.cli.session import open_cluster
    from hybridrank.common.user_file import UserFile
    from hybridrank.connector.admin.synonyms import check_synonyms, replace_synonyms
    from hybridrank.connector.engines.base import rest_api
    from hybridrank.index_templates.analysis import synonym_rules

    rules = synonym_rules(UserFile(file).text())
    send = check_synonyms if dry_run else replace_synonyms

    async def run() -> list[str]:
        async with open_cluster(engine, "the embedded engine has no synonyms") as cluster:
            return sorted(await send(rest_api(cluster), index, rules))

    names = asyncio.run(run())
    would = "would know" if dry_run else "know"
    out.print(f"searches of {', '.join(names)} {would} {counted(len(rules), 'rule')}", markup=False)
