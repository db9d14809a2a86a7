"""Start a real server for a test, or say why the test cannot run here."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from hybridrank import local_engines


@contextmanager
def server_or_skip(
    name: str, *, nodes: int = 1, ml_commons: bool = False, heap_mb: int = 512, port: int | None = None
) -> Iterator[local_engines.StartedEngine]:
    """Run a fresh server. Without a JDK or its artifacts the test is skipped; under REQUIRE_ENGINES=1 it fails."""
    with ExitStack() as stack:
        try:
            engine = stack.enter_context(
                local_engines.start(name, nodes=nodes, ml_commons=ml_commons, heap_mb=heap_mb, port=port)
            )
        except (local_engines.JdkMissing, local_engines.DownloadFailed) as error:
            if os.environ.get("REQUIRE_ENGINES") == "1":
                raise
            pytest.skip(f"no {name} here: {error}")
        yield engine
