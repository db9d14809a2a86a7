"""Fixtures that several test packages share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from hybridrank.sidecar.child import sidecar_process

# A slow machine fails no property: the time of tests is measured in benchmarks/.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def sidecar_address():
    """A real sidecar in a process of its own, with the models that ship."""
    with sidecar_process() as process:
        yield process.address


@pytest.fixture(scope="session")
def collections() -> Path:
    """The folder of real test collections."""
    folder = os.environ.get("HYBRIDRANK_COLLECTIONS")
    if not folder:
        pytest.skip("HYBRIDRANK_COLLECTIONS is not set: it names a folder of collections in BEIR's layout")
    return Path(folder)
