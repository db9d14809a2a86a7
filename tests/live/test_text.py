"""Text and objects on real servers: languages, subfields, synonyms that change, keys in any number."""

import asyncio
import subprocess
import sys

import pytest

from hybridrank.connector import connect_engine
from hybridrank.connector.admin.synonyms import check_synonyms, replace_synonyms
from hybridrank.connector.errors import EngineError
from hybridrank.index_templates import IndexDefinition
from hybridrank.index_templates.analysis import lacks, synonym_rules
from tests.contracts.text import LanguageContract, TextContract, found, made, titles

RULES = synonym_rules("# of drinks\n\ntea, cuppa, cup of joy\nbrew => tea\n")


def run(command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


class TestOpenSearch(LanguageContract):
    @pytest.fixture
    async def engine(self, opensearch_url):
        engine = await connect_engine(opensearch_url)
        yield engine
        await engine.close()

    async def test_chinese_japanese_and_korean_are_matched_by_pairs(self, engine):
        texts = ("東京都の天気", "京都の寺", "한국어 사전")
        async with made(engine, titles(*texts), language="cjk") as index:
            assert await found(engine, index, "天気") == ["東京都の天気"]
            assert set(await found(engine, index, "京都")) == {"東京都の天気", "京都の寺"}
            assert await found(engine, index, "気天") == []
            assert await found(engine, index, "한국") == ["한국어 사전"]

    @pytest.mark.parametrize("language", ["english", "cjk"])
    async def test_new_synonyms_find_what_was_not_found(self, engine, language):
        """The documents stay as they are, the alias too, and an index made again knows the synonyms."""
        async with made(engine, titles("green tea", "coffee"), language=language, subfields=("exact",)) as index:
            alias = f"{index}-alias"
            await engine.request("POST", "/_aliases", {"actions": [{"add": {"index": index, "alias": alias}}]})
            assert await found(engine, alias, "cuppa") == []
            await replace_synonyms(engine, alias, RULES)
            for query in ("cuppa", "Brew", "cup of joy"):
                assert await found(engine, alias, query) == ["green tea"], query
            assert await found(engine, alias, "coffee") == ["coffee"]
            await replace_synonyms(engine, index, synonym_rules("java, coffee"))
            assert await found(engine, alias, "cuppa") == []
            assert await found(engine, alias, "java") == ["coffee"]
            definition = IndexDefinition(3, language=language, subfields=("exact",))
            assert await engine.plan_index(index, definition) == ()
            await engine.request("DELETE", f"/{index}")
            await engine.create_index(index, definition)
            await engine.index_documents(index, titles("coffee"))
            await engine.refresh(index)
            assert await found(engine, index, "java") == ["coffee"]
            await replace_synonyms(engine, index, {})
            assert await found(engine, index, "java") == []
            assert await found(engine, index, "coffee") == ["coffee"]

    async def test_an_index_is_made_with_synonyms(self, engine):
        async with made(engine, titles("green tea"), synonyms=("tea, cuppa",)) as index:
            assert await found(engine, index, "cuppas") == []  # a rule holds for the words that it names
            assert await found(engine, index, "cuppa") == ["green tea"]
            assert await engine.create_index(index, IndexDefinition(3, synonyms=("tea, cuppa",))) is False
            with pytest.raises(EngineError, match="`hybridrank index synonyms`"):
                await engine.create_index(index, IndexDefinition(3, synonyms=("tea, brew",)))

    async def test_the_command_line_changes_synonyms(self, engine, opensearch_url, tmp_path):
        rules = tmp_path / "rules.txt"
        rules.write_text("tea, cuppa\n", encoding="utf-8")
        async with made(engine, titles("green tea")) as index:
            command = [
                sys.executable,
                "-m",
                "hybridrank",
                "index",
                "synonyms",
                index,
                rules,
                "--engine",
                opensearch_url,
            ]
            tried = await asyncio.to_thread(run, [*command, "--dry-run"])
            assert (tried.returncode, tried.stdout) == (0, f"searches of {index} would know 1 rule\n"), tried.stderr
            assert await found(engine, index, "cuppa") == []
            assert (await asyncio.to_thread(run, command)).returncode == 0
            assert await found(engine, index, "cuppa") == ["green tea"]

    async def test_a_line_that_is_no_rule_is_named_and_changes_nothing(self, engine):
        async with made(engine, titles("green tea")) as index:
            with pytest.raises(EngineError, match="line 3: 'a => b => c' is not a rule"):
                await replace_synonyms(engine, index, synonym_rules("tea, cuppa\n\na => b => c\n"))
            assert await found(engine, index, "tea") == ["green tea"]
            assert index in await check_synonyms(engine, index, RULES)
            assert await found(engine, index, "cuppa") == []

    async def test_an_index_that_fails_to_open_gets_its_old_synonyms_back(self, engine):
        async with made(engine, titles("green tea"), synonyms=("tea, cuppa",)) as index:
            with pytest.raises(EngineError):
                await replace_synonyms(_NothingIsChecked(engine), index, {1: "a => b => c"})
            assert await found(engine, index, "cuppa") == ["green tea"]

    async def test_an_index_that_somebody_else_made(self, engine):
        """Without a word of ours in its mapping: of its fields, those that are analysed as ours are."""
        index = "test-foreign-words"
        mapping = {"properties": {"title": {"type": "text", "analyzer": "standard"}, "kind": {"type": "keyword"}}}
        await engine.request("PUT", f"/{index}", {"mappings": mapping})
        try:
            await engine.index_documents(index, titles("green tea"))
            await engine.refresh(index)
            await replace_synonyms(engine, index, RULES)
            assert await found(engine, index, "cuppa", {"title": 1}) == ["green tea"]
        finally:
            await engine.request("DELETE", f"/{index}")


class TestElasticsearch(TextContract):
    """The one that runs here has no analysis module: what it lacks is told, and left out."""

    @pytest.fixture
    async def engine(self, elasticsearch_url):
        engine = await connect_engine(elasticsearch_url)
        yield engine
        await engine.close()

    async def test_text_options_that_the_server_lacks_are_reported(self, engine):
        capabilities = (await engine.info()).capabilities
        assert lacks("german", ("exact", "prefix"), capabilities) == (
            "no German analysis here: words are matched as they stand",
            "no edge n-grams here: fields have no subfield prefix",
        )
        async with made(engine, titles("Die Bücher"), language="german", subfields=("exact", "prefix")) as index:
            assert await found(engine, index, "Buch") == []
            assert await found(engine, index, "bücher") == ["Die Bücher"]
            assert await found(engine, index, "bücher", {"title.exact": 1}) == ["Die Bücher"]

    async def test_synonyms_are_refused(self, engine):
        with pytest.raises(EngineError, match="no filter for synonyms"):
            await engine.create_index("test-x", IndexDefinition(3, synonyms=("tea, cuppa",)))
        async with made(engine, titles("tea")) as index:
            with pytest.raises(EngineError, match="no filter for synonyms"):
                await replace_synonyms(engine, index, RULES)
            assert await found(engine, index, "tea") == ["tea"]


class _NothingIsChecked:
    """An engine that finds every analysis good, as one with another version of the filters on another node might."""

    def __init__(self, engine):
        self._engine = engine

    def __getattr__(self, name):
        return getattr(self._engine, name)

    async def request(self, method, path, body=None):
        return {} if path == "/_analyze" else await self._engine.request(method, path, body)
