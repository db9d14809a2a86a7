"""Text and objects on every engine. Subclass TextContract and provide an `engine` fixture."""

import uuid
from contextlib import asynccontextmanager

import pytest

from hybridrank.connector import HybridSearch, SearchRequest
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import EngineError, SearchFailed
from hybridrank.connector.queries.filters import Filter, Not, Range, Term, Terms
from hybridrank.connector.types import Document
from hybridrank.index_templates import IndexDefinition

SHOES = [
    Document("red", {"title": "Red shoes", "text": "", "attributes": {"colour": "red", "size": 42, "new": True}}),
    Document("blue", {"title": "Blue boots", "text": "", "attributes": {"colour": "blue", "size": "42 wide"}}),
    Document("none", {"title": "Plain socks", "text": ""}),
]


@asynccontextmanager
async def made(engine: Engine, documents, **definition):
    """The name of an index that holds the documents."""
    index = f"test-{uuid.uuid4().hex[:12]}"
    assert await engine.create_index(index, IndexDefinition(3, **definition))
    try:
        report = await engine.index_documents(index, documents)
        assert report.rejected == ()
        await engine.refresh(index)
        yield index
    finally:
        await engine.delete_index(index)


async def found(engine: Engine, index: str, text: str, fields=None, filters: tuple[Filter, ...] = ()) -> list[str]:
    """The ids of what a lexical search finds, best first."""
    request = SearchRequest(
        index=index, query_text=text, retrievers=("bm25",), fields=fields or {}, filters=filters, size=100
    )
    return [hit.doc_id for hit in (await HybridSearch(engine).search(request)).hits]


def titles(*texts: str) -> list[Document]:
    return [Document(text, {"title": text, "text": ""}) for text in texts]


class TextContract:
    async def test_objects_of_any_shape_are_kept_and_their_words_filter(self, engine):
        """The same key holds a number here and a word there; each key is searched as it was written."""
        everything = "shoes boots socks"
        async with made(engine, SHOES) as index:
            for each, expected in (
                (Term("attributes.colour", "red"), {"red"}),
                (Term("attributes.size", 42), {"red"}),
                (Term("attributes.size", "42 wide"), {"blue"}),
                (Term("attributes.new", True), {"red"}),
                (Terms("attributes.colour", ("red", "blue")), {"red", "blue"}),
                (Not(Term("attributes.colour", "red")), {"blue", "none"}),
                (Term("attributes.heel", "high"), set()),
            ):
                assert set(await found(engine, index, everything, filters=(each,))) == expected, each

    async def test_words_have_no_ranges(self, engine):
        async with made(engine, SHOES) as index:
            with pytest.raises(SearchFailed, match=r"'attributes\.size'.*holds every value as a word"):
                await found(engine, index, "shoes", filters=(Range("attributes.size", gte=40),))
            with pytest.raises(SearchFailed, match="holds every value as a word"):
                await found(engine, index, "shoes", filters=(Not(Range("attributes.size", gte=40)),))

    async def test_objects_whose_keys_are_fields_have_numbers(self, engine):
        sized = [Document(str(size), {"title": "shoe", "attributes": {"size": size}}) for size in (36, 42)]
        async with made(engine, sized, objects="fields") as index:
            assert await found(engine, index, "shoe", filters=(Range("attributes.size", gte=40),)) == ["42"]

    async def test_two_thousand_keys_are_no_two_thousand_fields(self, engine):
        """Servers refuse a document by which an index would have more than a thousand fields."""
        wide = [Document(str(n), {"title": "wide", "facts": {f"key_{n}_{k}": k for k in range(500)}}) for n in range(4)]
        async with made(engine, wide) as index:
            assert await found(engine, index, "wide", filters=(Term("facts.key_3_7", 7),)) == ["3"]

    async def test_exact_subfields_tell_the_word_from_its_other_forms(self, engine):
        async with made(engine, titles("running shoe", "the runs"), subfields=("exact",)) as index:
            assert await found(engine, index, "runs", {"title.exact": 1}) == ["the runs"]
            assert await found(engine, index, "the", {"title.exact": 1}) == ["the runs"]
            assert (await found(engine, index, "runs", {"title": 2, "title.exact": 1}))[0] == "the runs"

    async def test_a_subfield_that_the_index_lacks_is_named(self, engine):
        async with made(engine, titles("tea")) as index:
            with pytest.raises(SearchFailed, match=r"no field 'title\.prefix'"):
                await found(engine, index, "te", {"title.prefix": 1})

    async def test_index_boosts_apply_to_a_search_that_names_no_fields(self, engine):
        either = [Document("title", {"title": "tea", "text": "cup"}), Document("text", {"title": "cup", "text": "tea"})]
        for heavier, lighter in (("title", "text"), ("text", "title")):
            async with made(engine, either, boosts={heavier: 3.0}) as index:
                assert await found(engine, index, "tea") == [heavier, lighter]
                assert await found(engine, index, "tea", {lighter: 1}) == [lighter]

    async def test_an_index_that_was_made_otherwise_is_named(self, engine):
        async with made(engine, titles("tea"), language="standard") as index:
            with pytest.raises(EngineError, match="was made"):
                await engine.create_index(index, IndexDefinition(3, language="standard", subfields=("exact",)))


class LanguageContract(TextContract):
    """Of an engine with stemmers and edge n-grams."""

    @pytest.mark.parametrize(
        ("language", "title", "query", "stop_word"),
        [
            ("english", "The runner's shoes", "shoe", "the"),
            ("german", "Die Bücher der Stadt", "Buch", "der"),
            ("french", "L'histoire des nations", "nation", "des"),
            ("spanish", "Las canciones de España", "canción", "de"),
            ("italian", "Gli studenti di Roma", "studente", "di"),
            ("portuguese", "Os meninos do Porto", "menino", "do"),
            ("dutch", "De boeken van de stad", "boek", "van"),
        ],
    )
    async def test_a_language_has_its_stems_and_stop_words(self, engine, language, title, query, stop_word):
        assert language in (await engine.info()).capabilities
        async with made(engine, titles(title, "zzz"), language=language) as index:
            assert await found(engine, index, query) == [title]
            assert await found(engine, index, stop_word) == []

    async def test_without_a_language_words_are_what_they_are(self, engine):
        async with made(engine, titles("the runs"), language="standard") as index:
            assert await found(engine, index, "run") == []
            assert await found(engine, index, "THE") == ["the runs"]

    async def test_prefix_subfields_find_words_by_their_beginnings(self, engine):
        long = "Donaudampfschifffahrtsgesellschaft"
        async with made(engine, titles("Green tea", "Greek salad", long), subfields=("prefix",)) as index:
            assert set(await found(engine, index, "gree", {"title.prefix": 1})) == {"Green tea", "Greek salad"}
            assert await found(engine, index, "te", {"title.prefix": 1}) == ["Green tea"]
            assert await found(engine, index, "ea", {"title.prefix": 1}) == []  # no beginning
            assert await found(engine, index, "greenery", {"title.prefix": 1}) == []  # the query is not cut
            assert await found(engine, index, long, {"title.prefix": 1}) == [long]
            assert await found(engine, index, "donau", {"title": 1, "title.prefix": 0.5}) == [long]

    async def test_an_index_for_another_language_is_named(self, engine):
        async with made(engine, titles("tea"), language="german") as index:
            with pytest.raises(EngineError, match="was made for german"):
                await engine.create_index(index, IndexDefinition(3))
