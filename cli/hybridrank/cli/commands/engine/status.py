"""`hybridrank engine status`: where a server runs."""

import json

import typer
from rich.console import Console

from hybridrank.cli.options.local_engines import ServerArgument
from hybridrank.cli.options.shared import JsonOption

__all__ = ["status"]

out = Console(highlight=False, soft_wrap=True)


def status(server: ServerArgument, as_json: JsonOption = False) -> None:
    """Show if a server runs, and its address. Exit code 1 when it does not.

    Example: hybridrank engine status opensearch --json
    """
    from hybridrank import local_engines
    from hybridrank.cli.actions.engine import described

    state = local_engines.detached(server.value)
    is_running = state is not None and state.is_running
    if as_json:
        print(json.dumps({"name": server.value, "running": is_running} | (state.as_json() if state else {})))
    elif state and is_running:
        out.print(f"{described(state)} runs at {state.url}")
        for node in state.nodes:
            out.print(f"  {node.name}  {node.url}  pid {node.process.pid}  log {node.log}")
        out.print(f"  data {state.data}")
    else:
        out.print(f"{server.value} does not run (hybridrank engine start {server.value})")
    if not is_running:
        raise typer.Exit(1)
