"""Writing and administration on every Engine. A part of EngineContract."""

from dataclasses import replace

import pytest

from hybridrank.connector.errors import EngineError, IndexMissing
from hybridrank.connector.queries.filters import Range, Term
from hybridrank.connector.types import Document
from hybridrank.index_templates import HEAVY_FIELDS, EncoderNote, IndexDefinition, TokenNote
from tests.contracts.filled import FilledIndex
from tests.contracts.passages import DEFINITION, PASSAGES, _passage, bm25, ids, keys


class WritingContract(FilledIndex):
    async def test_creating_again_changes_nothing(self, filled, index):
        assert await filled.plan_index(index, DEFINITION) == ()
        assert await filled.create_index(index, DEFINITION) is False
        assert await filled.refresh(index) == len(PASSAGES)

    async def test_a_plan_says_what_would_be_made(self, engine, index):
        assert await engine.plan_index(index, DEFINITION) != ()
        assert await engine.delete_index(index) is False

    async def test_a_check_creates_no_index(self, engine, index):
        with pytest.raises(IndexMissing):
            await engine.check_writable(index)
        assert await engine.create_index(index, DEFINITION)

    async def test_other_dimensions_are_refused(self, filled, index):
        with pytest.raises(EngineError, match="3 dimensions in field 'vector', not 4"):
            await filled.create_index(index, IndexDefinition(dimensions=4))

    async def test_a_document_that_does_not_fit_is_named_and_others_kept(self, filled, index):
        wrong = Document("wrong", {"title": "Too short"}, (1.0, 0.0))
        right = Document("right", {"title": "Just right"}, (1.0, 0.0, 0.0))
        report = await filled.index_documents(index, [wrong, right])
        assert report.indexed == 1
        assert [each.doc_id for each in report.rejected] == ["wrong"]
        assert "vector" in report.rejected[0].reason

    async def test_ids_that_no_engine_takes_are_named(self, filled, index):
        ids_of_all = ["", "x" * 513, "é" * 257, "é" * 256, "right"]
        await filled.check_writable(index)
        report = await filled.index_documents(index, [_passage(each, "Ids", "Ids.") for each in ids_of_all])
        assert (report.indexed, [each.doc_id for each in report.rejected]) == (2, ids_of_all[:3])
        assert await filled.refresh(index) == len(PASSAGES) + 2

    async def test_values_no_engine_holds_are_named_and_break_no_search(self, filled, index):
        wrong = {
            "nan": Document("nan", {"title": "tea", "sizes": [{"eu": float("nan")}]}, (1.0, 0.0, 0.0)),
            "huge": Document("huge", {"title": "tea", "views": 1 << 64}, (1.0, 0.0, 0.0)),
            "half": Document("half", {"title": "tea \ud83d"}, (1.0, 0.0, 0.0)),
            "key": Document("key", {"title": "tea", "\ud83d": 1}, (1.0, 0.0, 0.0)),
            "vector": Document("vector", {"title": "tea"}, (1.0, float("nan"), 0.0)),
            "infinite": Document("infinite", {"title": "tea"}, (1.0, 1e39, 0.0)),
            "none": Document("none", {"title": "tea"}, (1.0, None, 0.0)),
        }
        report = await filled.index_documents(index, [*wrong.values(), _passage("right", "Just right", "")])
        reasons = {each.doc_id: each.reason for each in report.rejected}
        assert report.indexed == 1
        assert list(reasons) == list(wrong)
        assert reasons["nan"] == "sizes[0].eu is not a finite number"
        assert reasons["huge"] == "views is a whole number beyond 64 bits"
        assert reasons["half"].startswith("title has half of a surrogate pair")
        assert all(reasons[name].startswith("vector ") for name in ("vector", "infinite", "none"))
        assert await filled.refresh(index) == len(PASSAGES) + 1

    async def test_numbers_keep_their_fractions_whichever_comes_first(self, filled, index):
        """The first `size` is a whole number, and the first `weight` is not."""
        first = [_passage("a", "Sizes", "", size=5, weight=2.5), _passage("b", "Sizes", "", size=5.5, weight=3)]
        for each in first:
            assert (await filled.index_documents(index, [each])).rejected == ()
        await filled.refresh(index)

        async def passing(*filters):
            return ids(await self.one(filled, index, bm25("sizes", filters=filters)))

        assert await passing(Term("size", 5)) == ["a"]
        assert await passing(Range("size", gte=5.2, lt=6)) == ["b"]
        assert await passing(Range("weight", gt=2.5)) == ["b"]
        assert await passing(Term("weight", 2.5)) == ["a"]

    async def test_writing_the_same_id_replaces_the_document(self, filled, index):
        await filled.index_documents(index, [Document("tea", {"title": "Black coffee", "text": ""}, (1.0, 0.0, 0.0))])
        assert await filled.refresh(index) == len(PASSAGES)
        assert ids(await self.one(filled, index, bm25("coffee"))) == ["tea"]

    async def test_stored_digests_name_what_is_there(self, filled, index):
        await filled.index_documents(index, [Document("a", {"title": "A", "content_digest": "d1"}, (1.0, 0.0, 0.0))])
        await filled.refresh(index)
        assert await filled.stored_digests(index, ["a", "tea", "nowhere"]) == {"a": "d1", "tea": ""}
        assert await filled.stored_digests(index, []) == {}

    async def test_token_vectors_are_returned_on_request_but_by_no_search(self, filled, index):
        packed = bytes(range(256)) * 20
        tea = replace(PASSAGES[0], token_vectors=packed)
        assert (await filled.index_documents(index, [tea, replace(PASSAGES[1], token_vectors=b"x")])).rejected == ()
        await filled.refresh(index)
        asked = keys(index, "chai", "soup", "nowhere", "tea")
        tea_key, chai_key = keys(index, "tea", "chai")
        assert await filled.stored_token_vectors(index, asked) == {tea_key: packed, chai_key: b"x"}
        (hit,) = await self.one(filled, index, bm25("green", source_excludes=HEAVY_FIELDS))
        assert hit.source == dict(tea.source)
        await filled.index_documents(index, [PASSAGES[0]])
        await filled.refresh(index)
        assert await filled.stored_token_vectors(index, asked) == {chai_key: b"x"}
        with pytest.raises(IndexMissing):
            await filled.stored_token_vectors(f"{index}-missing", keys(f"{index}-missing", "tea"))

    async def test_an_index_notes_its_token_vectors_and_keeps_them(self, engine, index):
        """Documents written without them would lose them, so the definition without them is refused."""
        encoder = EncoderNote("encoder", "digest", comparable_digests=("fp32",))
        plain = replace(DEFINITION, encoder=encoder)
        noting = replace(plain, token_vectors=TokenNote.of(encoder, "int8"))
        assert await engine.create_index(index, noting)
        fields = await engine.fields(index)
        assert fields.token_vectors == TokenNote("encoder", "digest", format="int8")
        assert fields.dense_encoders == {index: {"vector": encoder}}
        assert await engine.plan_index(index, noting) == ()
        lost = r"holds token vectors of encoder \(digest digest\).*; say `--token-vectors int8 --colbert encoder`"
        for refused in (engine.create_index(index, plain), engine.plan_index(index, plain)):
            with pytest.raises(EngineError, match=lost):
                await refused
        other = replace(plain, token_vectors=TokenNote("other", "fp32", format="int8"))
        with pytest.raises(EngineError, match=r"'token_vectors'.*not of other.*say `--colbert encoder`"):
            await engine.create_index(index, other)

    async def test_token_vectors_of_another_format_are_noted_later(self, filled, index):
        assert (await filled.fields(index)).token_vectors is None
        for packing in ("residual", "fp16"):
            note = TokenNote("colbert", "digest", format=packing)
            await filled.note_encoder(index, ["token_vectors"], note)
            assert (await filled.fields(index)).token_vectors == note
            assert await filled.create_index(index, replace(DEFINITION, token_vectors=note)) is False
        assert "token_vectors" not in (await filled.fields(index)).dense_encoders[index]
