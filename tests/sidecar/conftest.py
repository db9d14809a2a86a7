"""The shipped models, loaded once; and the tiny fp32 models of the golden files."""

import pytest

from models import SHIPPED_MODELS
from sidecar import registry
from tests.golden.sidecar import FOLDER, TINY_KINDS


@pytest.fixture(scope="session")
def shipped():
    return registry.load([SHIPPED_MODELS])


@pytest.fixture(scope="session")
def tiny():
    return registry.load([FOLDER / name for name in TINY_KINDS])
