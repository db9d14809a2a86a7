"""Bodies for the LTR plugin: compared whole, and refused where a query's score cannot say what a feature is."""

import pytest

from ltr_features import FeatureSet
from ltr_features.sltr import NotInPlugin, feature_set_body, log_body, model_body, rescore

SHOP = FeatureSet.model_validate(
    {
        "name": "shop",
        "features": [
            {"name": "title", "kind": "bm25", "fields": ["title"]},
            {"name": "phrase", "kind": "phrase", "field": "title", "slop": 1},
            {"name": "price", "kind": "number", "field": "price", "transform": {"function": "log1p"}},
        ],
    }
)


def test_a_feature_set_is_a_list_of_templates():
    about = {"params": ["keywords"], "template_language": "mustache"}
    price = {
        "function_score": {
            "query": {"exists": {"field": "price"}},
            "functions": [{"field_value_factor": {"field": "price", "modifier": "ln1p"}}],
            "boost_mode": "replace",
        }
    }
    phrase = {"match_phrase": {"title": {"query": "{{keywords}}", "slop": 1}}}
    assert feature_set_body(SHOP) == {
        "featureset": {
            "name": "shop",
            "features": [
                {"name": "title", **about, "template": {"match": {"title": {"query": "{{keywords}}"}}}},
                {"name": "phrase", **about, "template": phrase},
                {"name": "price", **about, "template": price},
            ],
        }
    }


def test_what_a_querys_score_cannot_say_is_refused_by_name():
    features = [
        {"name": "title", "kind": "bm25", "fields": ["title"], "transform": {"function": "log1p"}},
        {"name": "rank", "kind": "retriever", "retriever": "bm25", "value_of": "rank"},
        {"name": "price", "kind": "number", "field": "price", "transform": {"function": "saturation", "pivot": 5}},
        {"name": "text", "kind": "bm25", "fields": ["text"]},
        {"name": "fresh", "kind": "age", "field": "released"},
    ]
    with pytest.raises(
        NotInPlugin,
        match=r"title \(bm25 with log1p\), rank \(retriever\), price \(number with saturation\), fresh \(age\);",
    ):
        feature_set_body(FeatureSet.model_validate({"name": "s", "features": features}))


def test_a_model_a_rescore_and_a_log():
    assert model_body("m", "[]", "model/xgboost+json") == {
        "model": {"name": "m", "model": {"type": "model/xgboost+json", "definition": "[]"}}
    }
    assert rescore("m", "red shoes", 50) == {
        "window_size": 50,
        "query": {
            "rescore_query": {"sltr": {"model": "m", "params": {"keywords": "red shoes"}}},
            "query_weight": 0.0,
            "rescore_query_weight": 1.0,
        },
    }
    assert log_body(SHOP, "red shoes", ["a", "b"]) == {
        "size": 2,
        "query": {
            "bool": {
                "filter": [
                    {"terms": {"_id": ["a", "b"]}},
                    {"sltr": {"_name": "features", "featureset": "shop", "params": {"keywords": "red shoes"}}},
                ]
            }
        },
        "ext": {"ltr_log": {"log_specs": {"name": "log", "named_query": "features", "missing_as_zero": False}}},
    }
