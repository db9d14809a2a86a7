"""Fixtures that several test packages share."""

import os
from pathlib import Path

import pytest

from hybridrank.sidecar.child import sidecar_process


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
