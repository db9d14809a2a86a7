"""Pipeline names and the requests they stand for."""

import json

import pytest

from hybridrank.connector import FeatureRescore, Rescore, SearchRequest
from hybridrank.evaluation.experiments.configuration import Configuration, ConfiguredPipeline
from hybridrank.evaluation.experiments.pipelines import STANDARD_PIPELINES, PipelineSettings, parse_pipeline
from hybridrank.ltr_features import FeatureSet


def test_the_requests_of_the_standard_pipelines():
    settings = PipelineSettings(weight=0.25, rescore_window_size=30, timeout_s=9)
    requests = [parse_pipeline(name).request("docs", "tea", settings) for name in STANDARD_PIPELINES]

    def expected(*retrievers, model=None):
        rescore = model and Rescore(model=model, weight=0.25, rescore_window_size=30, timeout_s=9)
        return SearchRequest(
            index="docs",
            query_text="tea",
            retrievers=retrievers,
            rescore=rescore,
            encode_timeout_s=9,
            size=100,
            strict=True,
        )

    assert requests == [
        expected("bm25"),
        expected("knn"),
        expected("bm25", "knn"),
        expected("bm25", "knn", model="colbert"),
        expected("bm25", "knn", model="cross-encoder"),
        expected("bm25", "knn", model="nano"),
    ]


def test_one_retriever_can_be_rescored_too():
    pipeline = parse_pipeline("bm25+cross-encoder")
    assert (pipeline.retrievers, pipeline.models) == (("bm25",), ("cross-encoder",))


def test_only_models_that_are_named_score_stored_token_vectors():
    request = parse_pipeline("rrf+colbert+cross-encoder").request(
        "docs", "tea", PipelineSettings(token_vectors=("colbert",))
    )
    assert [stage.token_vectors for stage in request.stages] == [True, False]
    left_open = parse_pipeline("rrf+colbert").request("docs", "tea", PipelineSettings())
    assert left_open.rescore.token_vectors is None


@pytest.mark.parametrize(
    ("settings", "scored"),
    [(PipelineSettings(), True), (PipelineSettings(token_vectors=()), False)],
    ids=["the file's", "texts"],
)
def test_a_configuration_scores_what_the_experiment_says(settings, scored):
    configuration = Configuration(rescore=Rescore(model="colbert", token_vectors=True))
    pipeline = ConfiguredPipeline.of("tuned", configuration)
    assert pipeline.request("docs", "tea", settings).rescore.token_vectors is scored
    assert "token_vectors" not in configuration.as_json()["rescore"]


def test_models_rescore_one_after_the_other_each_in_its_own_way():
    feature_set = FeatureSet.model_validate({"name": "s", "features": [{"name": "rank", "kind": "fused"}]})
    settings = PipelineSettings(weight=0.25, timeout_s=9, feature_sets={"lambdamart": feature_set})
    request = parse_pipeline("rrf+lambdamart+cross-encoder").request("docs", "tea", settings)
    assert request.rescore == (
        FeatureRescore(model="lambdamart", feature_set=feature_set, rescore_window_size=50, weight=1, timeout_s=9),
        Rescore(model="cross-encoder", weight=0.25, rescore_window_size=50, timeout_s=9),
    )
    assert parse_pipeline("rrf+lambdamart").request("docs", "tea", settings).rescore == request.rescore[0]


def test_settings_as_a_result_file_holds_them():
    feature_set = FeatureSet.model_validate({"name": "s", "features": [{"name": "rank", "kind": "fused"}]})
    said = json.loads(json.dumps(PipelineSettings(feature_sets={"lambdamart": feature_set}).as_json()))
    assert said["feature_sets"] == {"lambdamart": {"name": "s", "version": "1", "digest": feature_set.digest}}
    assert said["rescore_window_size"] == 50


@pytest.mark.parametrize("name", ["", "bm26", "rrf+", "+colbert", "RRF", "rrf++colbert", "rrf+colbert+"])
def test_an_unknown_name_says_which_there_are(name):
    with pytest.raises(ValueError, match=r"it is one of bm25, knn, sparse, rrf, rrf-sparse, with \+MODEL"):
        parse_pipeline(name)
