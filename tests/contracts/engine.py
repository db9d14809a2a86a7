"""Contract of every Engine. Subclass EngineContract and provide `engine` and `index` fixtures."""

import math
from dataclasses import replace

import pytest

from hybridrank.connector.errors import EngineError, IndexMissing
from hybridrank.connector.queries.filters import Not, Range, Term, Terms
from hybridrank.connector.total_hits import TotalHits
from hybridrank.connector.types import DocumentKey, Retrieved
from hybridrank.index_templates import HEAVY_FIELDS
from hybridrank.ltr_features import FeatureQuery
from tests.contracts.features import FeatureContract
from tests.contracts.passages import PASSAGES, _passage, bm25, feature_set, ids, keys, knn, values
from tests.contracts.writing import WritingContract


class EngineContract(FeatureContract, WritingContract):
    """Searching, features and writing."""

    async def test_bm25_finds_words_in_every_field(self, filled, index):
        assert set(ids(await self.one(filled, index, bm25("tea")))) == {"tea", "chai", "note"}

    async def test_ranks_are_one_based_and_scores_never_rise(self, filled, index):
        ranking = await self.one(filled, index, bm25("hot tea"))
        assert [each.rank for each in ranking] == list(range(1, len(ranking) + 1))
        assert [each.score for each in ranking] == sorted((each.score for each in ranking), reverse=True)

    async def test_bm25_has_k1_and_b_of_lucene(self, filled, index):
        """Worked example: 'spices' stands once, in the text of one document of five, which is 3 or 5 words long."""
        (chai,) = await self.one(filled, index, bm25("spices"))
        idf = math.log(1 + (5 - 1 + 0.5) / (1 + 0.5))
        with_stop_words_dropped = {"chai": 3, "mean": (3 + 3 + 3 + 3 + 2) / 5}  # tea milk spices; leaves hot water; …
        as_they_stand = {"chai": 5, "mean": (4 + 5 + 4 + 4 + 3) / 5}
        expected = [
            idf / (1 + 1.2 * (1 - 0.75 + 0.75 * lengths["chai"] / lengths["mean"]))
            for lengths in (with_stop_words_dropped, as_they_stand)
        ]
        # Elasticsearch keeps Lucene's older factor k1 + 1 = 2.2 in front, which changes no order.
        assert any(chai.score == pytest.approx(factor * each, rel=1e-3) for each in expected for factor in (1, 2.2))

    async def test_english_is_stemmed_and_stop_words_are_dropped(self, filled, index):
        """A server without the filters matches words as they stand, and says so by lacking the capability."""
        is_english = "english" in (await filled.info()).capabilities
        assert ids(await self.one(filled, index, bm25("vegetable"))) == (["soup"] if is_english else [])
        assert ids(await self.one(filled, index, bm25("with and"))) == ([] if is_english else ["chai", "cake"])

    async def test_knn_orders_by_cosine(self, filled, index):
        ranking = await self.one(filled, index, knn(1.0, 0.1, 0.0, window=3))
        assert ids(ranking) == ["tea", "chai", "soup"]
        cosine = 1 / math.hypot(1, 0.1)
        assert ranking[0].score == pytest.approx((1 + cosine) / 2, abs=1e-6)

    async def test_knn_leaves_out_documents_without_a_vector(self, filled, index):
        assert set(ids(await self.one(filled, index, knn(1.0, 1.0, 1.0)))) == {"tea", "chai", "soup", "cake"}

    async def test_the_length_of_a_query_vector_does_not_matter(self, filled, index):
        short = await self.one(filled, index, knn(0.5, 0.25, 0.125))
        long = await self.one(filled, index, knn(8.0, 4.0, 2.0))
        assert [(each.doc_id, pytest.approx(each.score, abs=1e-6)) for each in short] == [
            (each.doc_id, each.score) for each in long
        ]

    @pytest.mark.parametrize(
        ("filters", "passing"),
        [
            ([Term("kind", "drink")], "tea chai"),
            ([Terms("kind", ("food", "note"))], "soup cake note"),
            ([Range("price", gte=4, lt=7)], "chai cake"),
            ([Range("price", gt=3), Term("kind", "drink")], "chai"),
            ([Not(Term("kind", "food"))], "tea chai note"),
            ([Not(Range("price", lte=5))], "soup note"),
        ],
        ids=str,
    )
    async def test_a_filter_applies_to_bm25_and_knn_alike(self, filled, index, filters, passing):
        everything = "tea water milk spices vegetables flour vector"
        assert set(ids(await self.one(filled, index, bm25(everything, filters=filters)))) == {*passing.split()}
        found = set(ids(await self.one(filled, index, knn(1.0, 1.0, 1.0, filters=filters))))
        assert found == {*passing.split()} - {"note"}  # it has no vector

    async def test_a_reranker_reads_the_title_before_the_text(self, filled, index):
        assert list((await filled.fields_of(index)).boosts) == ["title", "text"]

    async def test_a_filter_fills_the_window_with_documents_that_pass(self, filled, index):
        only_food = [Term("kind", "food")]
        assert ids(await self.one(filled, index, knn(1.0, 0.0, 0.0, window=1, filters=only_food))) in (
            ["soup"],
            ["cake"],
        )
        assert ids(await self.one(filled, index, bm25("hot water tea", window=1, filters=only_food))) == ["soup"]

    async def test_the_window_cuts_the_ranking(self, filled, index):
        whole = await self.one(filled, index, bm25("green tea with milk in hot water"))
        assert len(whole) > 2
        assert await self.one(filled, index, bm25("green tea with milk in hot water", window=2)) == whole[:2]

    async def test_a_query_of_thousands_of_words_is_answered(self, filled, index):
        """BM25 reads the first 450 words of a query over two fields: what stands later finds nothing."""
        different = " ".join(f"w{number}" for number in range(3000))
        repeated = "zeppelin " * 3000
        unspaced = "雪" * 3000
        letters = "z" * 120_000
        for long in (different, repeated, unspaced, letters):
            assert set(ids(await self.one(filled, index, bm25(f"soup {long}")))) == {"soup"}
            assert await self.one(filled, index, bm25(f"{long} soup")) == ()
        shown = await filled.highlight(index, bm25(f"soup {different}"), ("title",), keys(index, "soup"))
        assert shown[DocumentKey(index, "soup")]["title"] == ("<em>Soup</em>",)

    async def test_features_of_a_query_of_thousands_of_words(self, filled, index):
        features = feature_set(
            both={"kind": "bm25", "fields": ["title", "text"]},
            title={"kind": "bm25", "fields": ["title"]},
            share={"kind": "coverage", "field": "title"},
            phrase={"kind": "phrase", "field": "text"},
        )
        long = "soup " + " ".join(f"w{number}" for number in range(3000))
        found = await values(filled, index, features, FeatureQuery(long), ["soup", "tea"])
        assert found["soup"][0] >= found["soup"][1] > 0
        assert found["soup"][2] == pytest.approx(1 / 32)
        assert found["tea"] == [None, None, 0.0, None]

    @pytest.mark.parametrize(
        ("text", "filters", "expected"),
        [
            ("tea", (), 3),
            ("tea", (Term("kind", "drink"),), 2),
            ("tea", (Not(Term("kind", "drink")), Not(Term("kind", "note"))), 0),
            ("xylophone", (), 0),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("up_to", [True, 1_000])
    async def test_the_total_counts_matches_beyond_the_window(self, filled, index, text, filters, expected, up_to):
        query = replace(bm25(text, window=1, filters=filters), track_total_hits=up_to)
        (answer,) = (await filled.retrieve(index, {"it": query})).values()
        assert (len(answer.ranking), answer.total) == (min(1, expected), TotalHits(expected, "eq"))

    async def test_a_total_up_to_a_number_is_exact_or_a_lower_bound(self, filled, index):
        """An engine stops counting there, or soon after; one that counts on has the exact number."""
        query = replace(bm25("hot tea", window=1), track_total_hits=1)
        (answer,) = (await filled.retrieve(index, {"it": query})).values()
        assert 1 <= answer.total.value <= 4
        assert answer.total.relation == "gte" or answer.total.value == 4

    async def test_matches_are_not_counted_unless_the_query_asks(self, filled, index):
        answers = await filled.retrieve(index, {"bm25": bm25("tea"), "knn": knn(1.0, 0.0, 0.0)})
        assert [answer.total for answer in answers.values()] == [None, None]

    async def test_no_match_is_an_empty_ranking(self, filled, index):
        assert await self.one(filled, index, bm25("zeppelin")) == ()
        assert await self.one(filled, index, bm25("🦜")) == ()

    async def test_candidates_carry_their_source_without_the_vector(self, filled, index):
        (chai,) = await self.one(filled, index, bm25("spices"))
        assert dict(chai.source) == dict(PASSAGES[1].source)

    async def test_two_queries_get_two_rankings(self, filled, index):
        answers = await filled.retrieve(index, {"bm25": bm25("soup"), "knn": knn(0.0, 0.0, 1.0, window=1)})
        assert {name: ids(answer.ranking) for name, answer in answers.items()} == {"bm25": ["soup"], "knn": ["cake"]}

    async def test_a_query_that_fails_leaves_the_other_its_ranking(self, filled, index):
        answers = await filled.retrieve(index, {"bm25": bm25("soup"), "knn": knn(1.0, 0.0)})
        assert ids(answers["bm25"].ranking) == ["soup"]
        assert isinstance(answers["knn"], EngineError)
        assert "'vector'" in str(answers["knn"])
        assert "3 dimensions" in str(answers["knn"])

    async def test_an_unknown_field_is_named(self, filled, index):
        answers = await filled.retrieve(
            index,
            {"bm25": replace(bm25("tea"), fields={"titel": 1.0}), "knn": replace(knn(1.0, 0.0, 0.0), field="vec")},
        )
        assert "'titel'" in str(answers["bm25"])
        assert "title" in str(answers["bm25"])
        assert "'vec'" in str(answers["knn"])

    async def test_a_missing_index_is_named(self, engine):
        with pytest.raises(IndexMissing, match="no-such-index"):
            await engine.retrieve("no-such-index", {"bm25": bm25("tea")})

    async def test_a_pattern_that_no_index_matches_is_a_missing_index(self, engine):
        with pytest.raises(IndexMissing, match=r"'hybridrank-nowhere-\*'"):
            await engine.retrieve("hybridrank-nowhere-*", {"bm25": bm25("tea")})
        with pytest.raises(IndexMissing):
            await engine.fields_of("hybridrank-nowhere-*")

    async def test_a_pattern_of_fields_must_match_one(self, filled, index):
        found = await filled.retrieve(index, {"some": replace(bm25("tea"), fields={"*itle": 1.0, "text": 1.0})})
        assert isinstance(found["some"], Retrieved)
        found = await filled.retrieve(index, {"none": replace(bm25("tea"), fields={"titel*": 1.0})})
        assert "no field 'titel*'" in str(found["none"])

    async def test_fields_of_an_index_are_those_documents_hold(self, filled, index):
        fields = await filled.fields_of(index)
        assert {"title", "text", "kind", "price"} <= set(fields.types)
        assert fields.boosts == {"title": 1.0, "text": 1.0}

    async def test_highlights_mark_what_the_query_matched(self, filled, index):
        """A fragment may end before the full stop."""
        found = await filled.highlight(index, bm25("hot tea"), ("title", "text"), keys(index, "tea", "soup", "cake"))
        shown = {
            key.doc_id: {field: [each.rstrip(".") for each in fragments] for field, fragments in fields.items()}
            for key, fields in found.items()
        }
        assert shown["tea"] == {"title": ["Green <em>tea</em>"], "text": ["Leaves in <em>hot</em> water"]}
        assert shown["soup"] == {"text": ["Vegetables in <em>hot</em> water"]}
        assert shown["cake"] == {}

    async def test_highlights_are_safe_to_show(self, filled, index):
        await filled.index_documents(index, [_passage("odd", "Odd", "<script>tea</script> & <b>milk</b>")])
        await filled.refresh(index)
        found = await filled.highlight(index, bm25("tea"), ("text",), keys(index, "odd"))
        (fragment,) = found[DocumentKey(index, "odd")]["text"]
        assert "&lt;script&gt;<em>tea</em>&lt;" in fragment
        assert "<script>" not in fragment
        assert "<b>" not in fragment

    async def test_a_field_to_highlight_that_is_not_there_is_named(self, filled, index):
        with pytest.raises(EngineError, match="'titel'"):
            await filled.highlight(index, bm25("tea"), ("titel",), keys(index, "tea"))

    async def test_sources_are_what_was_indexed_of_those_that_are_there(self, filled, index):
        found = await filled.sources(index, keys(index, "soup", "nowhere", "tea"), (*HEAVY_FIELDS, "price"))
        stored = {each.doc_id: dict(each.source) for each in PASSAGES}
        assert found == {
            key: {name: value for name, value in stored[key.doc_id].items() if name != "price"}
            for key in keys(index, "soup", "tea")
        }

    async def test_a_document_of_another_index_is_not_there(self, filled, index):
        """An id alone names no document: nothing is said of one that has the same id in another index."""
        elsewhere = keys(f"{index}-other", "tea")
        features = feature_set(bm25={"kind": "bm25", "fields": ["title"]})
        assert await filled.sources(index, elsewhere, HEAVY_FIELDS) == {}
        assert await filled.highlight(index, bm25("tea"), ("title",), elsewhere) == {}
        assert await filled.stored_token_vectors(index, elsewhere) == {}
        assert (await filled.extract(index, features, FeatureQuery("tea"), elsewhere))["hits"]["hits"] == []

    async def test_a_candidate_says_which_index_holds_it(self, filled, index):
        assert await filled.indices(index) == (index,)
        for query in (bm25("tea"), replace(bm25("tea"), with_sources=False), knn(1.0, 0.0, 0.0)):
            assert {each.index for each in await self.one(filled, index, query)} == {index}
        with pytest.raises(IndexMissing):
            await filled.indices(f"{index}-missing")

    async def test_a_ranking_without_sources_is_the_same_ranking(self, filled, index):
        for query in (bm25("hot tea"), knn(1.0, 0.1, 0.0), bm25("tea", filters=[Term("kind", "drink")])):
            whole = await self.one(filled, index, query)
            assert await self.one(filled, index, replace(query, with_sources=False)) == whole
            assert len(whole) > 1

    async def test_info_says_which_engine(self, engine):
        info = await engine.info()
        assert info.name in ("embedded", "opensearch", "elasticsearch")
        assert info.version[0].isdigit()
