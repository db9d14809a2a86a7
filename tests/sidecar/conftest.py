"""The shipped models, loaded once; and the tiny fp32 models of the golden files."""

import pytest

from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.models import loading
from tests.golden.sidecar import FOLDER, TINY_KINDS


@pytest.fixture(scope="session")
def shipped():
    return loading.load([SHIPPED_MODELS])


@pytest.fixture(scope="session")
def tiny():
    return loading.load([FOLDER / name for name in TINY_KINDS])
