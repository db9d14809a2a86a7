"""`hybridrank index swap`: moves an alias to a new index without interrupting searches."""

import asyncio
import sys

from rich.console import Console

from hybridrank.cli.session import open_cluster
from hybridrank.common.counts import counted
from hybridrank.connector.admin.aliases import Swap, plan_swap
from hybridrank.connector.admin.aliases import swap as move
from hybridrank.connector.engines.base import rest_api

__all__ = ["show_plan", "swap_alias"]

out = Console(highlight=False, soft_wrap=True)


async def swap_alias(
    address: str,
    alias: str,
    index: str,
    queries: list[str],
    min_share: float,
    delete_old: bool,
    grace_s: float,
    dry_run: bool,
) -> Swap:
    """Plans the swap, and carries it out unless it is a dry run."""
    async with open_cluster(address, "the embedded engine has no aliases") as engine:
        cluster = rest_api(engine)
        plan = await plan_swap(cluster, alias, index, least_share=min_share, queries=queries, delete_old=delete_old)
        if not dry_run and not plan.refusals:
            await move(cluster, plan)
            if delete_old and not plan.replaces and plan.actions:
                await asyncio.sleep(grace_s)
                for each in plan.before:
                    if each != index:
                        await engine.delete_index(each)
        return plan


def show_plan(plan: Swap, *, done: bool, delete_old: bool) -> None:
    """Prints the plan, and if it was carried out."""
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
        f"{plan.alias} {verb} for {plan.index} ({counted(plan.documents, 'document')}), before for"
        f" {', '.join(plan.before) or 'nothing'} ({plan.documents_before})",
        markup=False,
    )
    if old:
        fate = ("deleted" if done else "would be deleted") if delete_old else "kept"
        out.print(f"{', '.join(old)}: {fate}", markup=False)
