"""Stored token vectors of the candidates of one search, from the engine in one request."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import EngineError, EngineTimeout
from hybridrank.connector.sidecar_client.base import Passage

__all__ = ["with_token_vectors"]


async def with_token_vectors(
    engine: Engine, index: str, passages: Sequence[Passage], timeout_s: float
) -> list[Passage]:
    """Adds token vectors to all passages. Raises EngineError, also if some are missing, and EngineTimeout."""
    keys = [each.key for each in passages]
    try:
        stored = await asyncio.wait_for(engine.stored_token_vectors(index, keys), timeout_s)
    except asyncio.TimeoutError as error:
        message = f"the engine did not return the token vectors within {timeout_s:.3g} s"
        raise EngineTimeout(message, reason="timeout") from error
    lacking = [key for key in keys if key not in stored]
    if lacking:
        raise EngineError(
            f"{len(lacking)} of {len(keys)} candidates have no token vectors in {index!r}, {str(lacking[0])!r} among"
            " them; `hybridrank index` stores them",
            reason="no_token_vectors" if len(lacking) == len(keys) > 1 else "token_vectors",
        )
    return [replace(each, token_vectors=stored[each.key]) for each in passages]
