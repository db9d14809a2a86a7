"""Names of indices on every Engine. Subclass IndexNameContract and provide an `engine` fixture."""

import uuid

import pytest

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import EngineError, IndexMissing
from tests.contracts.passages import DEFINITION, PASSAGES, bm25, ids

NOT_NEW = [
    *["", ".", "..", "../x", "a/b", "a\\b", "*", "a*", "a?", 'a"', "a<b", "a>b", "<a-{now/d}>", "a|b", "a b", "a\n"],
    *["a,b", "a#b", "a:b", "-a", "_a", "+a", "Shop", "é" * 128, "a\ud83d"],
]
NOT_SEARCHED = [
    *["", ".", "..", "a,", "a/../_cluster", "a/b", "x?y", "a#b", "a\\b", "a b", "a\n", "_cluster", "_nodes,a"],
    *["<a-{now/../../_cluster}>", "<a?b>", "a<b", "\ud83d"],
]


class IndexNameContract:
    @pytest.mark.parametrize("name", NOT_NEW, ids=ascii)
    async def test_a_name_that_servers_refuse_creates_nothing(self, engine: Engine, name):
        for refused in (engine.create_index(name, DEFINITION), engine.plan_index(name, DEFINITION)):
            with pytest.raises(EngineError, match=r"^index '") as error:
                await refused
            assert error.value.reason == "bad_name"

    @pytest.mark.parametrize("name", NOT_SEARCHED, ids=ascii)
    async def test_a_name_that_no_index_can_have_is_not_searched(self, engine: Engine, name):
        for refused in (engine.retrieve(name, {"it": bm25("tea")}), engine.indices(name), engine.refresh(name)):
            with pytest.raises(EngineError, match=r"^index '") as error:
                await refused
            assert error.value.reason == "bad_name"

    @pytest.mark.parametrize("name", ["nope-*", "nope-a*,nope-b*", "<nope-{now/d}>", "<nope-{now/M{yyyy.MM}}-*>"])
    async def test_patterns_lists_and_date_math_are_resolved_as_they_are(self, engine: Engine, name):
        with pytest.raises(IndexMissing):
            await engine.retrieve(name, {"it": bm25("tea")})

    @pytest.mark.parametrize("end", ["%2fb", "a&b=c", "a+b;c@d", "café", ".-_~!$'()"])
    async def test_any_character_that_servers_accept_is_part_of_the_name(self, engine: Engine, end):
        index = f"test-{uuid.uuid4().hex[:12]}{end}"
        assert await engine.create_index(index, DEFINITION)
        try:
            await engine.index_documents(index, PASSAGES)
            assert await engine.refresh(index) == len(PASSAGES)
            found = (await engine.retrieve(index, {"it": bm25("soup")}))["it"]
            assert ids(found.ranking) == ["soup"]
            assert await engine.indices(index) == (index,)
        finally:
            assert await engine.delete_index(index)

    @pytest.mark.parametrize("pattern", ["*", "_all", "test-*", "a,b"])
    async def test_a_pattern_deletes_nothing(self, engine: Engine, pattern):
        with pytest.raises(EngineError) as error:
            await engine.delete_index(pattern)
        assert error.value.reason == "bad_name"
