"""The errors that a search raises: EngineError, SearchFailed and Misconfigured, whatever fails."""

import math

import pytest

from hybridrank.connector import (
    EngineError,
    FeatureLog,
    FeatureRescore,
    HybridSearch,
    Misconfigured,
    QueryRescore,
    Rescore,
    SearchFailed,
    SearchRequest,
    WeightedSum,
    errors,
)
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.types import Document, Encoding, RelevanceScore
from hybridrank.index_templates import IndexDefinition
from hybridrank.ltr_features import FeatureSet
from tests.contracts.passages import PASSAGES
from tests.doubles import WORDS, WordSidecar

PRICE = {"name": "p", "kind": "number", "field": "price"}
FEATURES = FeatureSet.model_validate({"name": "prices", "features": [PRICE]})
VECTOR = (1.0,) * len(WORDS)
STAGES = (
    Rescore(model="words", token_vectors=True),
    FeatureRescore(model="forest", feature_set=FEATURES),
    QueryRescore(by={"kind": "phrase", "name": "near", "field": "title"}),
)
ENGINE_CALLS = ("retrieve", "retrieve_fused", "fields_of", "sources", "highlight", "extract", "stored_token_vectors")
SIDECAR_CALLS = ("encode", "rescore", "rescore_features")


def classes(base: type[Exception]) -> list[type[Exception]]:
    return [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, base)]


def name_of(error: Exception) -> str:
    return type(error).__name__


class Failing:
    """Raises `error` in the calls of that name, and passes all others on."""

    def __init__(self, inner, call: str, error: Exception) -> None:
        self._inner, self._call, self._error = inner, call, error

    def __getattr__(self, name):
        async def fails(*_args, **_named):
            raise self._error

        return fails if name == self._call else getattr(self._inner, name)


class Answering(WordSidecar):
    """Gives the same scores and vectors to each request."""

    def __init__(self, scores=(), vectors=(VECTOR,)) -> None:
        self.scores, self.vectors = scores, vectors

    async def encode(self, texts, **_named):
        return tuple(map(Encoding, self.vectors))

    async def rescore(self, query_text, passages, **_named):
        return self.scores


@pytest.fixture
async def engine(tmp_path):
    engine = EmbeddedEngine(tmp_path / "indices")
    await engine.create_index("menu", IndexDefinition(dimensions=len(WORDS)))
    documents = [Document(each.doc_id, each.source, VECTOR) for each in PASSAGES]
    await engine.index_documents("menu", documents)
    await engine.refresh("menu")
    return engine


def request(**changes) -> SearchRequest:
    every_part = {"rescore": STAGES, "highlight": ("text",), "collapse": "title", "sort": {"price": "asc"}}
    return SearchRequest(**{"index": "menu", "query_text": "hot tea with milk"} | every_part | changes)


@pytest.mark.parametrize("fusion", ["client", "native"])
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("error", [each("broken") for each in classes(EngineError)], ids=name_of)
async def test_failing_engines_raise_only_documented_errors(engine, error, strict, fusion):
    for call in ENGINE_CALLS:
        failing = HybridSearch(Failing(engine, call, error), WordSidecar(), fusion=fusion)
        try:
            await failing.search(request(strict=strict))
        except (EngineError, SearchFailed, Misconfigured):
            assert strict or call in ("retrieve", "retrieve_fused")


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("error", [each("broken") for each in classes(errors.SidecarError)], ids=name_of)
async def test_failing_sidecars_never_raise_their_own_errors(engine, error, strict):
    for call in SIDECAR_CALLS:
        try:
            response = await HybridSearch(engine, Failing(WordSidecar(), call, error)).search(request(strict=strict))
        except Misconfigured:
            assert strict
        else:
            assert error.reason in [each.reason for each in response.degraded]
            assert response.hits


@pytest.mark.parametrize(
    "scores",
    [
        (RelevanceScore(1.0),),
        (RelevanceScore(1.0),) * 1000,
        *[(RelevanceScore(value),) * 3 for value in (math.nan, math.inf, 1e300)],
    ],
    ids=["too few", "too many", "nan", "infinite", "too large"],
)
async def test_scores_that_cannot_be_blended_leave_the_stage_out(engine, scores):
    asked = request(rescore=Rescore(model="m", rescore_window_size=3), highlight=(), collapse=None, sort={})
    response = await HybridSearch(engine, Answering(scores)).search(asked)
    assert [(each.stage, each.reason) for each in response.degraded] == [("rescore", "bad_scores")]


async def test_two_vectors_for_one_query_leave_encoding_out(engine):
    two = Answering(vectors=(VECTOR, VECTOR))
    response = await HybridSearch(engine, two).search(request(rescore=None))
    assert [(each.stage, each.reason) for each in response.degraded] == [("encode", "bad_scores")]


async def test_a_spent_budget_raises_no_error_of_a_sidecar(engine):
    with pytest.raises(EngineError, match="spent"):
        await HybridSearch(engine, WordSidecar()).search(request(timeout_s=1e-9))


async def test_large_weights_of_a_fusion_can_be_blended(engine):
    fusion = WeightedSum(weights={"bm25": 1e100, "knn": 1e100})
    asked = request(fusion=fusion, rescore=Rescore(model="m"), highlight=(), collapse=None, sort={})
    response = await HybridSearch(engine, WordSidecar()).search(asked)
    assert response.degraded == ()
    with pytest.raises(ValueError, match="less than or equal"):
        WeightedSum(weights={"bm25": 1e101})


async def test_a_foreign_file_does_not_stop_the_feature_log(engine, tmp_path):
    log = FeatureLog(tmp_path / "log", max_file_bytes=1)
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "features-old.jsonl").write_text("")
    search = HybridSearch(engine, WordSidecar(), feature_log=log)
    for _ in range(2):
        response = await search.search(request(rescore=FeatureRescore(feature_set=FEATURES)))
        assert "feature_log" not in [each.stage for each in response.degraded]
    assert (tmp_path / "log" / "features-000001.jsonl").exists()


def test_aggregations_that_are_not_json_are_refused_at_once():
    with pytest.raises(ValueError, match="a value of type object is not JSON"):
        request(aggregations={"kinds": {"terms": {"field": object()}}})
