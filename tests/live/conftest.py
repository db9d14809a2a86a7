"""Real servers for the tests of this folder: one node each, started once for all of them.

A server left running by `hybridrank engine start` is used as it is, unless HYBRIDRANK_FRESH=1. Where a server cannot
be had (no JDK, no download) its tests are skipped with the reason; with REQUIRE_ENGINES=1 they fail instead.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import local_engines
from tests.local_engines.available import server_or_skip

TIMEOUT_S = 600  # the first test that asks for a server waits until it is downloaded and up
FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.live)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def opensearch_url() -> Iterator[str]:
    with _server("opensearch") as url:
        yield url


@pytest.fixture(scope="session")
def elasticsearch_url() -> Iterator[str]:
    with _server("elasticsearch") as url:
        yield url


@pytest.fixture(scope="session")
def ml_commons_url() -> Iterator[str]:
    """An OpenSearch with ml-commons; always a fresh one, since its cluster settings are changed."""
    with server_or_skip("opensearch", ml_commons=True, heap_mb=768) as engine:
        yield engine.url


@pytest.fixture(scope="session", params=local_engines.ENGINES)
def engine_url(request: pytest.FixtureRequest) -> str:
    """Each server in turn."""
    return request.getfixturevalue(f"{request.param}_url")


@contextmanager
def _server(name: str) -> Iterator[str]:
    existing = None if os.environ.get("HYBRIDRANK_FRESH") == "1" else local_engines.running(name)
    if existing:
        yield existing.url
        return
    with server_or_skip(name) as engine:
        yield engine.url
