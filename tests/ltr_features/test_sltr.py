"""Bodies for the LTR plugin: compared whole, and refused where a query's score cannot say what a feature is."""

import math

import pytest

from hybridrank.ltr_features import Among, FeatureSet
from hybridrank.ltr_features.sltr import NotInPlugin, feature_set_body, log_body, logged, model_body, rescore

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
    def feature(name, query):
        template = {"bool": {"must": [{"match_all": {"boost": 0.0}}], "should": [query]}}
        return {"name": name, "params": ["keywords"], "template_language": "mustache", "template": template}

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
                feature("title", {"match": {"title": {"query": "{{keywords}}"}}}),
                feature("phrase", phrase),
                feature("price", price),
            ],
        }
    }


def test_features_that_no_query_score_can_give_are_named():
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
    assert log_body(SHOP, "red shoes", Among({"ids": {"values": ["a", "b"]}}, 2)) == {
        "size": 2,
        "query": {
            "bool": {
                "filter": [
                    {"ids": {"values": ["a", "b"]}},
                    {"sltr": {"_name": "features", "featureset": "shop", "params": {"keywords": "red shoes"}}},
                ]
            }
        },
        "ext": {"ltr_log": {"log_specs": {"name": "log", "named_query": "features", "missing_as_zero": False}}},
        "_source": False,
        "track_total_hits": False,
    }


def answer(**logs):
    """As the plugin's page "Logging Feature Scores" shows it."""
    hits = [
        {"_index": "shop", "_id": doc_id, "fields": {"_ltrlog": [{"log": values}]}} for doc_id, values in logs.items()
    ]
    return {"hits": {"hits": hits}}


def test_a_log_is_read_as_rows():
    """In the order of the documents asked for and of the set, whatever the order of the log's."""
    found = answer(
        b=[{"name": "price", "value": 1.5}, {"name": "phrase"}, {"name": "title", "value": 2.0}],
        a=[
            {"name": "title", "value": 0.5},
            {"name": "phrase", "value": 0.0},
            {"name": "price", "value": 3},
            {"name": "extra_logging", "value": {"took": 3}},
        ],
    )
    rows = logged(SHOP, [("shop", doc_id) for doc_id in ("a", "gone", "b")], found)
    assert rows[0] == (0.5, 0.0, 3.0)
    assert all(map(math.isnan, rows[1]))
    assert (rows[2][0], rows[2][2]) == (2.0, 1.5)
    assert math.isnan(rows[2][1])
    assert [len(row) for row in logged(SHOP, [("shop", "a")], answer())] == [3]


def test_a_log_of_another_set_is_refused():
    with pytest.raises(ValueError, match="'shop' in the cluster lacks phrase, price; upload it again"):
        logged(SHOP, [("shop", "a")], answer(a=[{"name": "title", "value": 1.0}]))
