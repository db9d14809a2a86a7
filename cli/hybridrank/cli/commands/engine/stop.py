"""`hybridrank engine stop`: ends a server that `start` left running."""

import json

from rich.console import Console

from hybridrank.cli.options.local_engines import ServerArgument
from hybridrank.cli.options.shared import JsonOption

__all__ = ["stop"]

out = Console(highlight=False, soft_wrap=True)


def stop(server: ServerArgument, as_json: JsonOption = False) -> None:
    """Stop a server that `start` left running. Its indices stay.

    Example: hybridrank engine stop opensearch
    """
    from hybridrank import local_engines

    stopped = local_engines.stop_detached(server.value)
    if as_json:
        print(json.dumps({"name": server.value, "stopped": stopped}))
    else:
        out.print(f"{server.value} {'stopped' if stopped else 'was not running'}")
