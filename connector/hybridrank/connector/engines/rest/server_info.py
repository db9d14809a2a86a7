"""Information from a server: its version, and its analysis capabilities."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from hybridrank.connector.engines.rest.answers import reading
from hybridrank.connector.errors import EngineError
from hybridrank.index_templates.analysis import probes

__all__ = ["capabilities", "version"]

Send: TypeAlias = Callable[..., Awaitable[Any]]


async def version(send: Send) -> str:
    """Returns the version of the node that answers. Raises EngineError."""
    try:
        answer = await send("GET", "/_nodes/_local")
    except EngineError as error:
        if error.status != 403:  # some users may read only the root page
            raise
        answer = await send("GET", "/")
        with reading("/"):
            return str(answer["version"]["number"])
    with reading("/_nodes/_local"):
        (found,) = (node["version"] for node in answer["nodes"].values())
    return str(found)


async def capabilities(send: Send) -> frozenset[str]:
    """Returns the analysis components of the server; minimal distributions have few of them. Raises EngineError."""
    asked = probes()
    able = await asyncio.gather(*(_analyzes(send, body) for body in asked.values()))
    return frozenset(name for name, can in zip(asked, able, strict=True) if can)


async def _analyzes(send: Send, body: Mapping[str, Any]) -> bool:
    try:
        await send("POST", "/_analyze", body)
    except EngineError as error:
        if error.status != 400:
            raise
        return False
    return True
