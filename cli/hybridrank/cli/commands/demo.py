"""`hybridrank demo`: hybrid search with reranking over the documentation of this Python, with measures."""

import asyncio
from enum import Enum
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options.json_file import JsonFileOption

__all__ = ["demo"]

NEEDS = ("embedded", "eval", "sidecar")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class DemoEngine(str, Enum):
    """Engine that the demo searches."""

    embedded = "embedded"
    opensearch = "opensearch"
    elasticsearch = "elasticsearch"


def demo(
    engine: Annotated[
        DemoEngine, typer.Option(help="embedded needs nothing; the others run a real server on this machine (Java).")
    ] = DemoEngine.embedded,
    json_file: JsonFileOption = None,
) -> None:
    """Index the documentation of Python's standard library, search it in six ways, and measure each.

    Its 280 queries are of two kinds, each with its table: needs described in other words, and what people type.
    Four to six minutes on two cores the first time; the embedded index is kept, so the next time is shorter.

    Examples:
    hybridrank demo
    hybridrank demo --engine opensearch --json demo.json
    """
    from hybridrank import local_engines
    from hybridrank.cli.actions.demo import read_documentation, run_demo
    from hybridrank.cli.session import default_engine

    collection = read_documentation()
    if engine is DemoEngine.embedded:
        result = asyncio.run(run_demo(collection, default_engine()))
    else:
        with local_engines.start(engine.value, console=err) as server:
            result = asyncio.run(run_demo(collection, server.url))
    if json_file:
        json_file.write(result.as_json())
        out.print(f"\nWritten to {json_file}", markup=False)
