"""Rows for training are those that a search serves: of judged queries, and of live searches that were clicked."""

import math

import pytest

from hybridrank.connector import FeatureRescore, HybridSearch
from hybridrank.connector.stages.feature_log import FeatureLog, read_feature_log
from hybridrank.connector.types import Document
from hybridrank.evaluation.collections.document_names import AmbiguousId
from hybridrank.evaluation.experiments.pipelines import PipelineSettings, parse_pipeline
from hybridrank.index_templates import IndexDefinition
from hybridrank.ltr_features import FeatureSet
from hybridrank.training.ltr.click_files import Showing
from hybridrank.training.ltr.dataset import UNJUDGED
from hybridrank.training.ltr.errors import ClickError, FeaturesMissing
from hybridrank.training.ltr.features import candidate_features
from hybridrank.training.ltr.live import live_rows
from tests.doubles import WordSidecar
from tests.evaluation.menu import QRELS, QUERIES, menu_engine
from tests.several import Alias

FEATURES = FeatureSet.model_validate(
    {
        "name": "menu",
        "features": [
            {"name": "title", "kind": "bm25", "fields": ["title"]},
            {"name": "knn_rank", "kind": "retriever", "retriever": "knn", "value_of": "rank"},
            {"name": "rank", "kind": "fused", "value_of": "rank"},
        ],
    }
)


@pytest.fixture
async def engine(tmp_path):
    engine = await menu_engine(tmp_path / "indices")
    yield engine
    await engine.close()


async def rows_of(engine, feature_set=FEATURES, window=3):
    steps = []
    data = await candidate_features(
        search=HybridSearch(engine, WordSidecar()),
        pipeline=parse_pipeline("rrf"),
        index="menu",
        queries=QUERIES,
        qrels=QRELS,
        feature_set=feature_set,
        settings=PipelineSettings(size=window),
        on_query=lambda: steps.append(1),
    )
    assert len(steps) == len(QUERIES)
    return data


async def test_rows_are_the_candidates_of_each_query_with_their_grades(engine):
    data = await rows_of(engine)
    assert (data.query_ids, data.sizes) == (("q1", "q2", "q3"), (3, 3, 3))
    for query_id, place in data.groups():
        grades = QRELS.get(query_id, {})
        assert data.grades[place].tolist() == [grades.get(each, UNJUDGED) for each in data.doc_ids[place]]
        assert data.rows[place, 2].tolist() == [1, 2, 3]
    assert {2, 1, UNJUDGED} <= set(data.grades.tolist())
    assert math.isnan(data.rows[:, 0].min())  # a title without a word of the query


async def test_a_grade_below_zero_is_judged_and_not_unjudged(engine):
    found = (await rows_of(engine)).doc_ids[:3]
    search, pipeline = HybridSearch(engine, WordSidecar()), parse_pipeline("rrf")
    qrels = {"q1": {found[0]: -2, found[1]: -1, found[2]: 1}}
    queries = {"q1": QUERIES["q1"]}
    data = await candidate_features(search, pipeline, "menu", queries, qrels, FEATURES, PipelineSettings(size=3))
    assert data.grades.tolist() == [0, 0, 1]


async def test_rows_are_what_a_search_serves(engine):
    stage = FeatureRescore(feature_set=FEATURES, with_features=True)
    request = parse_pipeline("rrf").request("menu", QUERIES["q1"], PipelineSettings(size=3))
    response = await HybridSearch(engine, WordSidecar()).search(request.model_copy(update={"rescore": stage}))
    served = [[str(each) for each in hit.features.values()] for hit in response.hits]
    found = (await rows_of(engine)).of({"q1"})
    assert [[str(each) for each in row] for row in found.rows.tolist()] == served
    assert found.doc_ids == tuple(hit.doc_id for hit in response.hits)


async def test_a_search_that_lacks_a_part_makes_no_rows(engine):
    nowhere = [{"name": "stars", "kind": "number", "field": "stars"}]
    with pytest.raises(
        FeaturesMissing, match="query 'q1': rescore: feature 'stars': index 'menu' has no field 'stars'"
    ):
        await rows_of(engine, FeatureSet.model_validate({"name": "menu", "features": nowhere}))


async def logged(engine, folder):
    """Every query searched with a log; `clicked` is what became of the first two documents of each."""
    search = HybridSearch(engine, WordSidecar(), feature_log=FeatureLog(folder))
    showings = {}
    for query_id, text in QUERIES.items():
        request = parse_pipeline("rrf").request("menu", text, PipelineSettings(size=4))
        stage = FeatureRescore(feature_set=FEATURES)
        response = await search.search(request.model_copy(update={"rescore": stage, "query_id": query_id}))
        for hit in response.hits[:2]:
            clicked = query_id != "q3" and hit.rank == 2
            showings[query_id, hit.doc_id] = Showing(text, hit.rank, clicked)
    return showings


async def test_live_rows_are_what_was_shown_with_its_place(engine, tmp_path):
    showings = await logged(engine, tmp_path / "log")
    data, texts = live_rows(read_feature_log(tmp_path / "log"), showings, FEATURES)
    assert texts == {"q1": QUERIES["q1"], "q2": QUERIES["q2"]}  # the third was not clicked
    assert (data.query_ids, data.sizes) == (("q1", "q2"), (2, 2))
    assert data.grades.tolist() == [0, 1, 0, 1]
    assert data.positions.tolist() == [0, 1, 0, 1]
    assert data.rows[:, 2].tolist() == [1, 2, 1, 2]


async def test_a_log_of_other_features_is_refused(engine, tmp_path):
    showings = await logged(engine, tmp_path / "log")
    other = FeatureSet.model_validate({"name": "other", "features": [{"name": "words", "kind": "query_length"}]})
    with pytest.raises(ClickError, match=r"of (\d+) logged rows, \1 are of another feature set than other"):
        live_rows(read_feature_log(tmp_path / "log"), showings, other)


def test_live_rows_of_several_indices_say_which():
    features = FeatureSet.model_validate({"name": "menu", "features": [{"name": "words", "kind": "query_length"}]})

    def record(index: str, value: float, second: int = 0):
        about = {"digest": features.digest}
        common = {"query_id": "q", "doc_id": "1", "timestamp": f"2026-01-01T00:00:0{second}"}
        return common | {"index": index, "feature_set": about, "features": {"words": value}}

    both = [record("de", 1.0), record("en", 2.0)]
    shown = {("q", "en/1"): Showing("tea", 1, True), ("q", "de/1"): Showing("tea", 2, False)}
    data, _ = live_rows(both, shown, features)
    assert (data.doc_ids, data.rows[:, 0].tolist(), data.grades.tolist()) == (("en/1", "de/1"), [2.0, 1.0], [1, 0])
    with pytest.raises(ClickError, match=r"found '1' in de and in en.*write en/1 there"):
        live_rows(both, {("q", "1"): Showing("tea", 1, True)}, features)
    later = [record("docs-v1", 1.0), record("docs-v2", 1.0, second=5)]  # the alias moved between two searches
    assert live_rows(later, {("q", "1"): Showing("tea", 1, True)}, features)[0].doc_ids == ("1", "1")


async def test_rows_of_several_indices_are_judged_by_index_and_id(engine, tmp_path):
    both = Alias(engine, ("menu", "cellar"))
    await engine.create_index("cellar", IndexDefinition(dimensions=8))
    await engine.index_documents("cellar", [Document("chai", {"title": "Chai", "text": "hot tea with milk"})])
    qrels = {"q1": {"menu/chai": 2, "cellar/chai": 1}}
    asked = (HybridSearch(both, WordSidecar()), parse_pipeline("bm25"), "both", {"q1": QUERIES["q1"]})
    data = await candidate_features(*asked, qrels, FEATURES, PipelineSettings(size=10))
    grades = dict(zip(data.doc_ids, data.grades.tolist(), strict=True))
    assert (grades["menu/chai"], grades["cellar/chai"], grades["menu/tea"]) == (2, 1, UNJUDGED)
    with pytest.raises(AmbiguousId):
        await candidate_features(*asked, {"q1": {"chai": 2}}, FEATURES, PipelineSettings(size=10))
