"""Features of documents on every Engine. A part of EngineContract."""

import math
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from hybridrank.connector.errors import EngineError
from hybridrank.ltr_features import FeatureQuery
from tests.contracts.filled import FilledIndex
from tests.contracts.passages import PASSAGES, bm25, feature_set, keys, values


class FeatureContract(FilledIndex):
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
