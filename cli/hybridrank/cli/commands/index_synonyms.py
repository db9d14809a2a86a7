"""`hybridrank index synonyms`: other synonyms for an index that is searched already."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options import EngineOption
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
    """Have searches know the synonyms of a file and no others; an empty file takes them away.

    No document is written again. The index is closed and opened for it, and searches that come in between fail.

    Examples:
    hybridrank index synonyms docs synonyms.txt --engine http://localhost:9200 --dry-run
    hybridrank index synonyms docs synonyms.txt --engine http://localhost:9200
    """
    from hybridrank.cli.index_synonyms import send_synonyms
    from hybridrank.common.user_file import UserFile
    from hybridrank.index_templates.analysis import synonym_rules

    if not engine or engine.startswith("embedded:"):
        raise typer.BadParameter("the embedded engine has no synonyms; name a cluster", param_hint="--engine")
    rules = synonym_rules(UserFile(file).text())
    names = asyncio.run(send_synonyms(engine, index, rules, dry_run=dry_run))
    would = "would know" if dry_run else "know"
    out.print(f"searches of {', '.join(names)} {would} {counted(len(rules), 'rule')}", markup=False)
