"""Models that have not seen a query, and refusals where no such model is known."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.evaluation.collections.beir import CollectionError
from hybridrank.evaluation.experiments.fold_models import FILE, FoldModels
from hybridrank.evaluation.experiments.pipelines import PipelineSettings, parse_pipeline
from hybridrank.ltr_features import FeatureSet

HELD_OUT = {"shop-1": {"q1": "lamp", "q2": "lamps"}, "shop-2": {"q3": "sofa"}}


def test_fold_models_round_trip(tmp_path):
    folds = FoldModels(tmp_path, "shop", HELD_OUT)
    folds.save()
    assert FoldModels.load(tmp_path) == folds
    assert [folds.model_for(each) for each in ("q1", "q2", "q3")] == ["shop-1", "shop-1", "shop-2"]
    folds.check({"q2": "lamps", "q3": "sofa"})


@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.data())
def test_a_query_is_ranked_only_by_a_model_it_was_held_out_from(folds, data):
    """Whatever the folds are: the requests of a pipeline name the model of the query's own fold, and no other."""
    held_out = {f"shop-{fold}": {} for fold in folds}
    for number, fold in enumerate(folds):
        held_out[f"shop-{fold}"][f"q{number}"] = f"text {number}"
    feature_set = FeatureSet.model_validate({"name": "s", "features": [{"name": "rank", "kind": "fused"}]})
    settings = PipelineSettings(
        fold_models=FoldModels(None, "shop", held_out), feature_sets=dict.fromkeys(held_out, feature_set)
    )
    number = data.draw(st.integers(0, len(folds) - 1))
    pipeline = parse_pipeline("rrf+shop+cross-encoder")
    first, second = pipeline.request("docs", f"text {number}", settings, f"q{number}").stages
    assert first.model == f"shop-{folds[number]}"
    assert second.model == "cross-encoder"
    with pytest.raises(KeyError):
        pipeline.request("docs", "another", settings, "another")


@pytest.mark.parametrize(
    ("queries", "problem"),
    [
        ({"q1": "lamp", "q4": "bed"}, "query 'q4' is not there, so no model is known not to have seen it"),
        ({"q1": "sofa"}, "query 'q1' says something else"),
    ],
)
def test_queries_that_a_model_may_have_seen_are_refused(tmp_path, queries, problem):
    with pytest.raises(CollectionError, match=problem):
        FoldModels(tmp_path, "shop", HELD_OUT).check(queries)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("not json", "not JSON"),
        ('{"name": "shop"}', "cannot be read: KeyError 'models'"),
        ('{"name": "shop", "models": ["shop-1"]}', "cannot be read: AttributeError"),
        (
            json.dumps({"name": "shop", "models": {"a": {"q1": "lamp"}, "b": {"q1": "lamp"}}}),
            "query 'q1' is held out of two models, so one has seen it",
        ),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path, content, problem):
    (tmp_path / FILE).write_text(content)
    with pytest.raises(CollectionError, match=problem) as raised:
        FoldModels.load(tmp_path)
    assert str(tmp_path / FILE) in str(raised.value)


def test_a_folder_without_folds_is_named(tmp_path):
    with pytest.raises(CollectionError, match=r"folds\.json: there is no such file"):
        FoldModels.load(tmp_path)
