"""`hybridrank engine`: start, stop and look at real servers on this machine."""

import json
from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from hybridrank.cli.choices import ENGINE_HEAP_MB
from hybridrank.common.counts import counted

if TYPE_CHECKING:
    from hybridrank.local_engines.state import State

__all__ = ["app"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

app = typer.Typer(
    help="Run a real OpenSearch or Elasticsearch on this machine, without Docker.",
    no_args_is_help=True,
    add_completion=False,
)


class Server(str, Enum):
    """The servers that can be run here."""

    opensearch = "opensearch"
    elasticsearch = "elasticsearch"


ServerArgument = Annotated[Server, typer.Argument(help="Which server.", show_default=False)]

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]


@app.command()
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
    as_json: Json = False,
) -> None:
    """Start a server that keeps running; its indices are kept from one start to the next.

    The first start downloads it. A server that runs already is left as it is.

    Examples:
    hybridrank engine start opensearch
    hybridrank engine start elasticsearch --nodes 3 --port 9200
    """
    from hybridrank import local_engines

    state, is_new = local_engines.start_detached(
        server.value, nodes=nodes, ml_commons=ml_commons, port=port, heap_mb=heap_mb, console=err
    )
    if as_json:
        print(json.dumps({"started": is_new, "running": True} | state.as_json()))
    else:
        out.print(f"{_described(state)} {'is up' if is_new else 'is running already'} at {state.url}")


@app.command()
def stop(server: ServerArgument, as_json: Json = False) -> None:
    """Stop a server that `start` left running. Its indices stay.

    Example: hybridrank engine stop opensearch
    """
    from hybridrank import local_engines

    stopped = local_engines.stop_detached(server.value)
    if as_json:
        print(json.dumps({"name": server.value, "stopped": stopped}))
    else:
        out.print(f"{server.value} {'stopped' if stopped else 'was not running'}")


@app.command()
def status(server: ServerArgument, as_json: Json = False) -> None:
    """Say whether a server runs, and where. Exit code 1 when it does not.

    Example: hybridrank engine status opensearch --json
    """
    from hybridrank import local_engines

    state = local_engines.detached(server.value)
    is_running = state is not None and state.is_running
    if as_json:
        print(json.dumps({"name": server.value, "running": is_running} | (state.as_json() if state else {})))
    elif state and is_running:
        out.print(f"{_described(state)} runs at {state.url}")
        for node in state.nodes:
            out.print(f"  {node.name}  {node.url}  pid {node.process.pid}  log {node.log}")
        out.print(f"  data {state.data}")
    else:
        out.print(f"{server.value} does not run (hybridrank engine start {server.value})")
    if not is_running:
        raise typer.Exit(1)


def _described(state: "State") -> str:
    count = counted(len(state.nodes), "node")
    return f"{state.name} {state.version} ({count}{', ml-commons' if state.ml_commons else ''})"
