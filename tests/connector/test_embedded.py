import asyncio
import shutil
import sqlite3
from contextlib import closing

import pytest

from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.errors import EngineError
from hybridrank.connector.types import Document, DocumentKey
from hybridrank.index_templates import IndexDefinition
from tests.contracts.engine import EngineContract
from tests.contracts.filters import FilterContract
from tests.contracts.index_names import IndexNameContract
from tests.contracts.passages import DEFINITION, PASSAGES, bm25, ids
from tests.contracts.text import LanguageContract, found


class TestEmbeddedEngine(EngineContract):
    @pytest.fixture
    def engine(self, tmp_path):
        return EmbeddedEngine(tmp_path)

    @pytest.fixture
    def index(self):
        return "passages"

    async def test_another_process_finds_what_was_written(self, filled, index):
        later = EmbeddedEngine(filled.path)
        assert ids(await self.one(later, index, bm25("soup"))) == ["soup"]

    async def test_a_crash_before_the_refresh_loses_nothing(self, filled, index):
        """Documents are safe once index_documents returns: the tantivy index is derived from them."""
        for derived in (filled.path / index).glob("tantivy-*"):
            shutil.rmtree(derived)
        later = EmbeddedEngine(filled.path)
        assert ids(await self.one(later, index, bm25("soup"))) == ["soup"]

    async def test_first_searches_that_come_together(self, filled, index):
        for derived in (filled.path / index).glob("tantivy-*"):
            shutil.rmtree(derived)
        later = EmbeddedEngine(filled.path)
        rankings = await asyncio.gather(*(self.one(later, index, bm25("soup")) for _ in range(8)))
        assert [ids(ranking) for ranking in rankings] == [["soup"]] * 8

    async def test_documents_are_not_searchable_before_the_refresh(self, filled, index):
        await self.one(filled, index, bm25("soup"))
        await filled.index_documents(index, [PASSAGES[0]])
        assert ids(await self.one(filled, index, bm25("soup"))) == ["soup"]


class TestEmbeddedIndexNames(IndexNameContract):
    @pytest.fixture
    def engine(self, tmp_path):
        return EmbeddedEngine(tmp_path)

    async def test_a_hidden_folder_is_no_index(self, engine):
        with pytest.raises(EngineError, match="names a folder"):
            await engine.create_index(".hidden", DEFINITION)

    async def test_an_index_of_an_earlier_release_keeps_its_capitals(self, engine):
        await engine.create_index("shop", DEFINITION)
        (engine.path / "shop").rename(engine.path / "Shop")
        await engine.index_documents("Shop", PASSAGES)
        assert await engine.refresh("Shop") == len(PASSAGES)
        assert await engine.create_index("Shop", DEFINITION) is False
        assert await engine.delete_index("Shop")


class TestEmbeddedFilters(FilterContract):
    @pytest.fixture
    def engine(self, tmp_path):
        return EmbeddedEngine(tmp_path)

    @pytest.fixture
    def index(self):
        return "passages"

    async def test_an_index_of_an_older_release_infers_types(self, filtered, index):
        with closing(sqlite3.connect(filtered.path / index / "documents.sqlite3")) as database, database:
            database.execute("DROP TABLE types")
        later = EmbeddedEngine(filtered.path)
        await self.test_a_filter_compares_by_the_type_of_the_field(later, index)


class TestEmbeddedText(LanguageContract):
    @pytest.fixture
    def engine(self, tmp_path):
        return EmbeddedEngine(tmp_path)

    @pytest.mark.parametrize("definition", [{"language": "cjk"}, {"synonyms": ("tea, chai",)}])
    async def test_features_that_tantivy_lacks_are_refused(self, engine, definition):
        with pytest.raises(EngineError, match=r"the embedded engine has no (analysis for cjk|synonyms)"):
            await engine.create_index("x", IndexDefinition(3, **definition))

    async def test_an_index_of_an_earlier_release_is_english(self, engine):
        """Its definition said `analysis`, and nothing of what came later."""
        await engine.create_index("old", IndexDefinition(3))
        earlier = '{"dimensions": 3, "text_fields": ["title", "text"], "analysis": "english"}'
        with closing(sqlite3.connect(engine.path / "old" / "documents.sqlite3")) as database, database:
            database.execute("UPDATE definition SET body = ?", (earlier,))
        await engine.index_documents("old", [Document("a", {"title": "Shoes"})])
        await engine.refresh("old")
        assert await found(engine, "old", "shoe") == ["a"]


async def test_the_second_of_two_documents_with_one_id_is_kept(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    await engine.create_index("menu", IndexDefinition(dimensions=2))
    twice = [
        Document(name, {"title": text}, None, packed)
        for name, text, packed in (
            ("a", "first", b"1"),
            ("a", "second", b"2"),
            ("b", "first", b"1"),
            ("b", "second", None),
        )
    ]
    await engine.index_documents("menu", twice)
    await engine.refresh("menu")
    keys = [DocumentKey("menu", "a"), DocumentKey("menu", "b")]
    assert await engine.stored_token_vectors("menu", keys) == {keys[0]: b"2"}
    assert [each["title"] for each in (await engine.sources("menu", keys, ())).values()] == ["second", "second"]
