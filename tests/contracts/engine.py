"""What every Engine does. Subclass EngineContract and provide `engine` and `index` fixtures."""

import math
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import EngineError, IndexMissing
from hybridrank.connector.total_hits import TotalHits
from hybridrank.connector.types import (
    Bm25Query,
    Document,
    DocumentKey,
    KnnQuery,
    Not,
    Range,
    Ranking,
    Retrieved,
    Term,
    Terms,
)
from hybridrank.index_templates import HEAVY_FIELDS, IndexDefinition
from hybridrank.ltr_features import CandidateFacts, FeatureQuery, FeatureSet, matrix

DEFINITION = IndexDefinition(dimensions=3)


def _passage(doc_id, title, text, vector=None, **fields) -> Document:
    return Document(doc_id, {"title": title, "text": text, **fields}, vector)


PASSAGES = [
    _passage("tea", "Green tea", "Leaves in hot water.", (1.0, 0.0, 0.0), kind="drink", price=3, since="2024-03-01"),
    _passage("chai", "Chai", "Tea with milk and spices.", (0.8, 0.6, 0.0), kind="drink", price=5),
    _passage("soup", "Soup", "Vegetables in hot water.", (0.0, 1.0, 0.0), kind="food", price=7),
    _passage("cake", "Cake", "Flour, eggs and sugar.", (0.0, 0.0, 1.0), kind="food", price=4),
    _passage("note", "A note on tea", "No vector here.", kind="note"),
]

FIELDS = {"title": 1.0, "text": 1.0}


def bm25(text: str, *, window: int = 10, filters=(), source_excludes=HEAVY_FIELDS) -> Bm25Query:
    return Bm25Query(text, FIELDS, window, tuple(filters), source_excludes)


def knn(*vector: float, window: int = 10, filters=()) -> KnnQuery:
    return KnnQuery(vector, "vector", window, 2 * window, tuple(filters), HEAVY_FIELDS)


def ids(ranking: Ranking) -> list[str]:
    return [candidate.doc_id for candidate in ranking]


def keys(index: str, *doc_ids: str) -> list[DocumentKey]:
    return [DocumentKey(index, doc_id) for doc_id in doc_ids]


def feature_set(**features) -> FeatureSet:
    """Name → kind and parameters."""
    columns = [{"name": name, **parameters} for name, parameters in features.items()]
    return FeatureSet.model_validate({"name": "contract", "features": columns})


async def values(engine: Engine, index: str, features: FeatureSet, query: FeatureQuery, doc_ids) -> dict[str, list]:
    """doc_id → values, None for what is not known."""
    answer = await engine.extract(index, features, query, keys(index, *doc_ids))
    facts = [CandidateFacts(doc_id, {}, 1, 1.0, index=index) for doc_id in doc_ids]
    rows = matrix(features, query, facts, answer)
    return {
        doc_id: [None if math.isnan(value) else value for value in row]
        for doc_id, row in zip(doc_ids, rows, strict=True)
    }


class EngineContract:
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
            ([Term("kind", "drink")], {"tea", "chai"}),
            ([Terms("kind", ("food", "note"))], {"soup", "cake", "note"}),
            ([Range("price", gte=4, lt=7)], {"chai", "cake"}),
            ([Range("price", gt=3), Term("kind", "drink")], {"chai"}),
            ([Not(Term("kind", "food"))], {"tea", "chai", "note"}),
            ([Not(Range("price", lte=5))], {"soup", "note"}),
        ],
        ids=str,
    )
    async def test_a_filter_applies_to_bm25_and_knn_alike(self, filled, index, filters, passing):
        everything = "tea water milk spices vegetables flour vector"
        assert set(ids(await self.one(filled, index, bm25(everything, filters=filters)))) == passing
        found = set(ids(await self.one(filled, index, knn(1.0, 1.0, 1.0, filters=filters))))
        assert found == passing - {"note"}  # it has no vector

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

    async def test_bm25_features_are_the_scores_of_bm25(self, filled, index):
        """A field alone, and two of them: the sum of both, and the better one."""
        features = feature_set(
            title={"kind": "bm25", "fields": ["title"]},
            text={"kind": "bm25", "fields": ["text"]},
            sum={"kind": "bm25", "fields": ["title", "text"]},
            best={"kind": "bm25", "fields": ["title", "text"], "combine": "best"},
        )
        everyone = [each.doc_id for each in PASSAGES]
        found = await values(filled, index, features, FeatureQuery("hot tea leaves"), everyone)
        for name, column in (("title", 0), ("text", 1)):
            ranking = await self.one(filled, index, replace(bm25("hot tea leaves"), fields={name: 1.0}))
            expected = {each.doc_id: pytest.approx(each.score, rel=1e-6) for each in ranking}
            assert {doc_id: row[column] for doc_id, row in found.items() if row[column] is not None} == expected
        title, text, total, best = found["tea"]
        assert (total, best) == (pytest.approx(title + text, rel=1e-6), max(title, text))
        assert found["cake"] == [None] * 4

    async def test_a_phrase_is_the_words_in_their_order(self, filled, index):
        features = feature_set(
            exact={"kind": "phrase", "field": "text"},
            loose={"kind": "phrase", "field": "text", "slop": 3},
            bm25={"kind": "bm25", "fields": ["text"]},
        )
        doc_ids = ["tea", "chai"]
        found = await values(filled, index, features, FeatureQuery("hot water"), doc_ids)
        exact, _, both_words = found["tea"]
        assert exact == pytest.approx(both_words, rel=1e-6)  # each word stands there once
        assert found["chai"] == [None] * 3
        apart = (await values(filled, index, features, FeatureQuery("leaves water"), doc_ids))["tea"]
        assert apart[0] is None
        assert apart[1] > 0
        turned = (await values(filled, index, features, FeatureQuery("water hot"), doc_ids))["tea"]
        assert turned[0] is None
        alone = (await values(filled, index, features, FeatureQuery("spices"), doc_ids))["chai"]
        assert alone[0] == alone[2] > 0

    async def test_a_stop_word_in_a_phrase_keeps_its_place(self, filled, index):
        features = feature_set(exact={"kind": "phrase", "field": "text"})
        found = await values(filled, index, features, FeatureQuery("leaves in hot water"), ["tea", "soup"])
        assert found["tea"][0] > 0
        assert found["soup"] == [None]

    async def test_coverage_is_the_share_of_words_that_are_there(self, filled, index):
        features = feature_set(
            share={"kind": "coverage", "field": "text"}, count={"kind": "coverage", "field": "text", "count": True}
        )
        found = await values(filled, index, features, FeatureQuery("hot water hot milk spoon"), ["tea", "chai", "cake"])
        assert found == {"tea": [0.5, 2.0], "chai": [0.25, 1.0], "cake": [0.0, 0.0]}

    async def test_idf_is_counted_over_the_whole_index(self, filled, index):
        """Worked example: of five texts, two hold 'water', one 'spices', none 'zeppelin'."""
        features = feature_set(
            total={"kind": "idf", "field": "text"},
            rarest={"kind": "idf", "field": "text", "combine": "max"},
            unknown={"kind": "idf", "field": "title"},
        )
        water, spices = (math.log(1 + (5 - n + 0.5) / (n + 0.5)) for n in (2, 1))
        found = await values(filled, index, features, FeatureQuery("water spices zeppelin"), ["cake"])
        assert found == {"cake": [pytest.approx(water + spices), pytest.approx(spices), 0.0]}

    async def test_numbers_dates_and_lengths_are_the_documents_own(self, filled, index):
        features = feature_set(
            price={"kind": "number", "field": "price"},
            age={"kind": "age", "field": "since"},
            words={"kind": "field_length", "field": "text"},
        )
        query = FeatureQuery("tea", now=datetime(2024, 3, 31, tzinfo=timezone.utc))
        found = await values(filled, index, features, query, ["tea", "chai", "note"])
        assert found == {"tea": [3.0, 30.0, 4.0], "chai": [5.0, None, 5.0], "note": [None, None, 3.0]}

    async def test_cosines_of_all_candidates_that_have_a_vector(self, filled, index):
        """Also of one that points away, and no matter how long the query's vector is."""
        features = feature_set(cosine={"kind": "vector_similarity", "field": "vector"})
        query = FeatureQuery("tea", vector=(2.0, 0.0, -2.0))
        found = await values(filled, index, features, query, [each.doc_id for each in PASSAGES])
        half = math.sqrt(0.5)
        expected = {"tea": half, "chai": 0.8 * half, "soup": 0.0, "cake": -half}
        assert found == {name: [pytest.approx(cosine, abs=1e-6)] for name, cosine in expected.items()} | {
            "note": [None]
        }
        assert await values(filled, index, features, FeatureQuery("tea"), ["tea"]) == {"tea": [None]}

    async def test_features_are_those_of_the_candidates_in_their_order(self, filled, index):
        """One that is not there any more has none, and a query without a word matches nothing."""
        features = feature_set(bm25={"kind": "bm25", "fields": ["text"]}, share={"kind": "coverage", "field": "text"})
        found = await values(filled, index, features, FeatureQuery("water"), ["gone", "soup"])
        assert found["gone"] == [None, None]
        assert found["soup"][1] == 1.0
        assert await values(filled, index, features, FeatureQuery("?!"), ["soup"]) == {"soup": [None, None]}
        assert await values(filled, index, features, FeatureQuery("water"), ["gone"]) == {"gone": [None, None]}

    async def test_a_feature_that_does_not_fit_the_index_is_named(self, filled, index):
        misspelt = feature_set(title={"kind": "bm25", "fields": ["titel"]})
        with pytest.raises(EngineError, match=r"feature 'title'.*'titel'"):
            await filled.extract(index, misspelt, FeatureQuery("tea"), keys(index, "tea"))
        cosine = feature_set(cosine={"kind": "vector_similarity", "field": "vector"})
        with pytest.raises(EngineError, match=r"feature 'cosine'.*3 dimensions"):
            await filled.extract(index, cosine, FeatureQuery("tea", vector=(1.0, 0.0)), keys(index, "tea"))

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

    async def test_a_document_that_does_not_fit_is_named_and_the_others_are_kept(self, filled, index):
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

    async def test_values_that_no_engine_holds_are_named_and_cost_no_search(self, filled, index):
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

    async def test_token_vectors_come_back_for_those_that_have_them_and_with_no_search(self, filled, index):
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
