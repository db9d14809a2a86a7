"""`hybridrank index swap`: an alias moved to a new index while searches go on."""

import asyncio
import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from connector import connect_engine
from connector.aliases import LEAST_SHARE, Swap, plan_swap
from connector.aliases import swap as move
from connector.engines.rest import RestEngine
from hybridrank.options import EngineOption, JsonOption

__all__ = ["swap"]

out = Console(highlight=False, soft_wrap=True)


def swap(
    alias: Annotated[str, typer.Argument(help="The name that is searched.", show_default=False)],
    new_index: Annotated[str, typer.Argument(help="The index that it shall stand for.", show_default=False)],
    engine: EngineOption = "",
    query: Annotated[
        list[str] | None, typer.Option(help="Must find something in the new index too; may be repeated.")
    ] = None,
    min_share: Annotated[
        float, typer.Option(min=0, max=1, help="Least share of today's documents that the new index holds.")
    ] = LEAST_SHARE,
    delete_old: Annotated[
        bool, typer.Option("--delete-old/--keep", help="What becomes of the index that is searched now.")
    ] = False,
    grace_s: Annotated[
        float, typer.Option(min=0, help="Seconds that searches on the old index have to end before it is deleted.")
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
    if not engine or engine.startswith("embedded:"):
        raise typer.BadParameter("the embedded engine has no aliases; name a cluster", param_hint="--engine")
    plan = asyncio.run(_swap(engine, alias, new_index, query or [], min_share, delete_old, grace_s, dry_run))
    done = not (dry_run or plan.refusals)
    if as_json:
        print(json.dumps(asdict(plan) | {"done": done}))
    else:
        _show(plan, done=done, delete_old=delete_old)
    if plan.refusals:
        raise typer.Exit(1)


async def _swap(
    address: str,
    alias: str,
    index: str,
    queries: list[str],
    min_share: float,
    delete_old: bool,
    grace_s: float,
    dry_run: bool,
) -> Swap:
    engine = await connect_engine(address)
    assert isinstance(engine, RestEngine)
    try:
        plan = await plan_swap(engine, alias, index, least_share=min_share, queries=queries, delete_old=delete_old)
        if not dry_run and not plan.refusals:
            await move(engine, plan)
            if delete_old and not plan.replaces and plan.actions:
                await asyncio.sleep(grace_s)
                for each in plan.before:
                    if each != index:
                        await engine.delete_index(each)
        return plan
    finally:
        await engine.close()


def _show(plan: Swap, *, done: bool, delete_old: bool) -> None:
    old = [each for each in plan.before if each != plan.index]
    for note in plan.notes:
        out.print(f"note: {note}", markup=False)
    if plan.shared is not None:
        out.print(f"of the first ten hits of each query {plan.shared:.0%} are the same")
    for refusal in plan.refusals:
        print(f"error: {refusal}", file=sys.stderr)
    if plan.refusals:
        return
    if not plan.actions:
        out.print(f"{plan.alias} stands for {plan.index} already", markup=False)
        return
    verb = "now stands" if done else "would stand"
    out.print(
        f"{plan.alias} {verb} for {plan.index} ({plan.documents} documents), before for"
        f" {', '.join(plan.before) or 'nothing'} ({plan.documents_before})",
        markup=False,
    )
    if old:
        fate = ("deleted" if done else "would be deleted") if delete_old else "kept"
        out.print(f"{', '.join(old)}: {fate}", markup=False)
