"""`hybridrank engine start`: a real server on this machine that keeps running."""

import json
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options.choices import ENGINE_HEAP_MB
from hybridrank.cli.options.local_engines import ServerArgument
from hybridrank.cli.options.shared import JsonOption

__all__ = ["start"]

NEEDS = ("engines",)

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def start(
    server: ServerArgument,
    *,
    nodes: Annotated[int, typer.Option(min=1, max=9, help="How many nodes form the cluster.")] = 1,
    ml_commons: Annotated[
        bool, typer.Option("--ml-commons", help="With OpenSearch's ml-commons plugin (390 MB more to download).")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="HTTP port of the first node.", show_default="a free one")
    ] = None,
    heap_mb: Annotated[int, typer.Option(min=256, help="Java heap of each node in megabytes.")] = ENGINE_HEAP_MB,
    as_json: JsonOption = False,
) -> None:
    """Start a server that keeps running; its indices are kept from one start to the next.

    The first start downloads it. A running server is not changed.

    Examples:
    hybridrank engine start opensearch
    hybridrank engine start elasticsearch --nodes 3 --port 9200
    """
    from hybridrank import local_engines
    from hybridrank.cli.actions.engine import described

    state, is_new = local_engines.start_detached(
        server.value, nodes=nodes, ml_commons=ml_commons, port=port, heap_mb=heap_mb, console=err
    )
    if as_json:
        print(json.dumps({"started": is_new, "running": True} | state.as_json()))
    else:
        out.print(f"{described(state)} {'is up' if is_new else 'is running already'} at {state.url}")
