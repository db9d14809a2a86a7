"""Fixture of the engine contracts: an index that holds PASSAGES."""

import pytest

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import EngineError
from hybridrank.connector.types import (
    Ranking,
    Retrieved,
)
from tests.contracts.passages import DEFINITION, PASSAGES


class FilledIndex:
    """Each test gets `index`, freshly made and holding PASSAGES."""

    @pytest.fixture
    async def filled(self, engine: Engine, index: str):
        assert await engine.create_index(index, DEFINITION)
        report = await engine.index_documents(index, PASSAGES)
        assert (report.indexed, report.rejected) == (len(PASSAGES), ())
        assert await engine.refresh(index) == len(PASSAGES)
        yield engine
        await engine.delete_index(index)

    async def one(self, engine: Engine, index: str, query) -> Ranking:
        answer = (await engine.retrieve(index, {"it": query}))["it"]
        if isinstance(answer, EngineError):
            raise answer
        assert isinstance(answer, Retrieved)
        assert answer.warning == ""
        return answer.ranking
