"""`hybridrank index swap`: moves an alias to a new index without interrupting searches."""

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

from hybridrank.cli.options.choices import LEAST_SHARE
from hybridrank.cli.options.shared import EngineOption, JsonOption

__all__ = ["swap"]


def swap(
    alias: Annotated[str, typer.Argument(help="The name that is searched.", show_default=False)],
    new_index: Annotated[str, typer.Argument(help="The index that it will point to.", show_default=False)],
    engine: EngineOption = "",
    query: Annotated[
        list[str] | None, typer.Option(help="Query that must have hits in the new index too; may be repeated.")
    ] = None,
    min_share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Minimum documents of the new index, as a share of the old one."),
    ] = LEAST_SHARE,
    delete_old: Annotated[
        bool, typer.Option("--delete-old/--keep", help="Delete or keep the index that is searched now.")
    ] = False,
    grace_s: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for searches on the old index before it is deleted.")
    ] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; change nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Move an alias to a new index in one step: no search fails, and each sees the old index or the new one.

    The new index must hold documents, and about as many as are searched now. With --keep, swapping back undoes it.

    Examples:
    hybridrank index --collection ./docs --index docs-v2 --engine http://localhost:9200
    hybridrank index swap docs docs-v2 --engine http://localhost:9200 --query "undo a commit" --dry-run
    hybridrank index swap docs docs-v2 --engine http://localhost:9200 --delete-old
    """
    from hybridrank.cli.actions.index_swap import show_plan, swap_alias

    plan = asyncio.run(
        swap_alias(
            address=engine,
            alias=alias,
            index=new_index,
            queries=query or [],
            min_share=min_share,
            delete_old=delete_old,
            grace_s=grace_s,
            dry_run=dry_run,
        )
    )
    done = not (dry_run or plan.refusals)
    if as_json:
        print(json.dumps(asdict(plan) | {"done": done}))
    else:
        show_plan(plan, done=done, delete_old=delete_old)
    if plan.refusals:
        raise typer.Exit(1)
