"""Configurations: read, written, and what they ask of a search."""

import pytest

from hybridrank.connector import Rescore, SearchRequest
from hybridrank.connector.admin.similarity import Bm25Settings
from hybridrank.connector.fusion import Rrf, WeightedSum
from hybridrank.evaluation.experiments.configuration import Configuration, ConfigurationError, ConfiguredPipeline
from hybridrank.evaluation.experiments.pipelines import PipelineSettings, parse_pipeline

CONFIGURATIONS = [
    Configuration(),
    Configuration(retrievers=("knn",), rescore=Rescore(model="colbert", weight=0.25)),
    Configuration(
        fields={"title": 2.0, "text": 1.0},
        fusion=Rrf(rank_constant=20, weights={"bm25": 0.4, "knn": 0.6}),
        rank_window_size=150,
        rescore=Rescore(model="cross-encoder", rescore_window_size=30, weight=0.7),
    ),
    Configuration(rescore=Rescore(model="colbert")),
    Configuration(fusion=WeightedSum(weights={"knn": 0.3}), bm25=Bm25Settings(k1=0.9, b=0.4)),
]


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_configurations_round_trip_as_yaml_json_and_python(configuration, tmp_path):
    for name, text in (("c.yaml", configuration.as_yaml()), ("c.json", configuration.model_dump_json())):
        (tmp_path / name).write_text(text)
        assert Configuration.load(tmp_path / name) == configuration
    names = {"SearchRequest": SearchRequest, "Rrf": Rrf, "WeightedSum": WeightedSum, "Rescore": Rescore}
    in_python = eval(configuration.as_python(), names | {"index": "docs", "text": "tea"})
    assert in_python == configuration.request("docs", "tea")


def test_a_file_by_hand(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("# title counts twice\nfields: {title: 2, text: 1}\nrescore: {model: colbert}\n")
    assert Configuration.load(file).request("docs", "tea", size=5) == SearchRequest(
        index="docs", query_text="tea", fields={"title": 2, "text": 1}, rescore=Rescore(model="colbert"), size=5
    )


def test_an_empty_file_is_the_defaults_of_a_search(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("")
    assert Configuration.load(file).request("docs", "tea") == SearchRequest(index="docs", query_text="tea")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fields: {title: -1}", r"mine.yaml: fields.title: Input should be greater than 0"),
        ("boosts: {title: 2}", r"mine.yaml: boosts: Extra inputs are not permitted"),
        ("bm25: {k1: 1, b: 2}", r"mine.yaml: bm25.b: Input should be less than or equal to 1"),
        ("fusion: {kind: sum}", r"mine.yaml: fusion: Input tag 'sum'"),
        ("fields: [", r"mine.yaml: not YAML: "),
        ("- bm25", r"mine.yaml: the file: Input should be a valid dictionary"),
    ],
)
def test_errors_name_the_file(text, said, tmp_path):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        Configuration.load(tmp_path / "mine.yaml")


@pytest.mark.parametrize("name", ["bm25", "knn", "rrf", "rrf+colbert"])
def test_a_configured_pipeline_sends_what_the_named_one_sends(name):
    named, settings = parse_pipeline(name), PipelineSettings(timeout_s=7)
    rescore = Rescore(model="colbert") if named.models else None
    configured = ConfiguredPipeline.of(name, Configuration(retrievers=named.retrievers, rescore=rescore))
    assert (configured.name, configured.models) == (named.name, named.models)
    assert configured.request("docs", "tea", settings) == named.request("docs", "tea", settings)
