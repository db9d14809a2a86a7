"""Connections of an engine: none stays open once it is closed, in whatever state its nodes are."""

import pytest

from hybridrank.connector.engines.opensearch import OpenSearchEngine
from hybridrank.connector.errors import EngineUnreachable

NOBODY = "http://127.0.0.1:1,127.0.0.1:2,127.0.0.1:3"


async def test_sessions_with_nodes_that_went_are_closed_too():
    """opensearch-py takes a node that fails out of its pool, and closes the pool."""
    engine = OpenSearchEngine(NOBODY)
    for _ in range(3):
        with pytest.raises(EngineUnreachable):
            await engine.info()
    pool = (await engine._clients.here()).transport.connection_pool  # made for the first request
    sessions = [each.session for each in pool.orig_connections if each.session]
    assert len(pool.connections) < len(sessions) == 3
    await engine.close()
    assert all(session.closed for session in sessions)
