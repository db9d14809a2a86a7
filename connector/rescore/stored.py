"""The token vectors of the candidates of one search, as the index holds them: asked of the engine in one request."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from connector.engines.base import Engine
from connector.errors import EngineError, EngineTimeout
from connector.rescore.base import Passage

__all__ = ["with_token_vectors"]


async def with_token_vectors(
    engine: Engine, index: str, passages: Sequence[Passage], timeout_s: float
) -> list[Passage]:
    """All passages with theirs. Raises EngineError, where some have none too, and EngineTimeout after `timeout_s`."""
    doc_ids = [each.doc_id for each in passages]
    try:
        stored = await asyncio.wait_for(engine.stored_token_vectors(index, doc_ids), timeout_s)
    except asyncio.TimeoutError as error:
        message = f"the engine did not return the token vectors within {timeout_s:.3g} s"
        raise EngineTimeout(message, reason="timeout") from error
    lacking = [doc_id for doc_id in doc_ids if doc_id not in stored]
    if lacking:
        raise EngineError(
            f"{len(lacking)} of {len(doc_ids)} candidates have no token vectors in {index!r}, {lacking[0]!r} among"
            " them; `hybridrank index --token-vectors` stores them",
            reason="no_token_vectors" if len(lacking) == len(doc_ids) > 1 else "token_vectors",
        )
    return [replace(each, token_vectors=stored[each.doc_id]) for each in passages]
