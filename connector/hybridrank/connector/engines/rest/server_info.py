"""What a server says of itself: its version, and what its analysis can."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from hybridrank.connector.engines.rest.answers import reading
from hybridrank.connector.errors import EngineError
from hybridrank.index_templates.analysis import probes

__all__ = ["capabilities", "version"]

Send: TypeAlias = Callable[..., Awaitable[Any]]


async def version(send: Send) -> str:
    """The version of the node that answers. Raises EngineError."""
    try:
        answer = await send("GET", "/_nodes/_local")
    except EngineError as error:
        if error.status != 403:  # some users may ask for the root page alone
            raise
        answer = await send("GET", "/")
        with reading("/"):
            return str(answer["version"]["number"])
    with reading("/_nodes/_local"):
        (found,) = (node["version"] for node in answer["nodes"].values())
    return str(found)


async def capabilities(send: Send) -> frozenset[str]:
    """The parts of text analysis that the server has; minimal distributions lack most of them. Raises EngineError."""
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
