"""A feature set is read from a file, or refused by feature and field; its columns are its digest."""

import json

import pytest

from hybridrank.ltr_features import BadFeatureSet, FeatureSet

SHOP = """
name: shop
version: "3"
features:
  - {name: title_bm25, kind: bm25, fields: [title], description: How well the title matches.}
  - {name: price, kind: number, field: price_cents, transform: {function: log1p}}
  - {name: knn_rank, kind: retriever, retriever: knn, value_of: rank}
"""


@pytest.fixture
def shop(tmp_path):
    path = tmp_path / "shop.yaml"
    path.write_text(SHOP)
    return FeatureSet.load(path)


def test_yaml_and_json_hold_the_same_set(shop, tmp_path):
    assert (shop.name, shop.version, shop.names) == ("shop", "3", ("title_bm25", "price", "knn_rank"))
    shop.dump(tmp_path / "shop.json")
    assert FeatureSet.load(tmp_path / "shop.json") == shop


def test_the_digest_is_known_and_only_the_columns_decide_it(shop):
    content = shop.model_dump(mode="json")
    same = FeatureSet.model_validate(content | {"name": "other", "version": "4"})
    described = [{**content["features"][0], "description": "Another."}, *content["features"][1:]]
    assert shop.digest == same.digest == FeatureSet.model_validate(content | {"features": described}).digest
    changes = (
        content["features"][::-1],
        content["features"][:2],
        [content["features"][0] | {"name": "t"}, *content["features"][1:]],
        [content["features"][0] | {"fields": ["text"]}, *content["features"][1:]],
        [content["features"][0], content["features"][1] | {"transform": None}, content["features"][2]],
    )
    digests = {FeatureSet.model_validate(content | {"features": each}).digest for each in changes}
    assert len({shop.digest, *digests}) == 6


def test_the_digest_stays_the_same_from_version_to_version(shop):
    # Models in the field carry it. A new parameter with a default must not change it.
    assert shop.digest == "7775d9efb5100be165b48790bcb244ef02e4acddebdc908b487d3b2cb7f4d03b"


@pytest.mark.parametrize(
    ("features", "problem"),
    [
        ([], "features: Tuple should have at least 1 item"),
        ([{"name": "f", "kind": "bm52"}], "feature f: Input tag 'bm52' found using 'kind' does not match"),
        ([{"name": "f", "kind": "bm25", "fields": []}], "feature f.fields: Tuple should have at least 1 item"),
        ([{"name": "f", "kind": "number", "feild": "x"}], "feature f.field: Field required; feature f.feild: Extra"),
        ([{"kind": "query_length"}], "feature 1.name: Field required"),
        ([{"name": "a b", "kind": "query_length"}], "feature a b.name: String should match pattern"),
        ([{"name": "a:b", "kind": "query_length"}], "feature a:b.name: String should match pattern"),  # not LightGBM's
        ([{"name": "f", "kind": "query_length"}] * 2, "features: .*more than one feature is called f"),
        (
            [{"name": "f", "kind": "number", "field": "x", "transform": {"function": "exp", "scale": 0}}],
            "feature f.transform.exp.scale: Input should be greater than 0",
        ),
        (["title"], "feature 1: "),
    ],
)
def test_errors_name_the_feature_and_the_field(tmp_path, features, problem):
    path = tmp_path / "set.json"
    path.write_text(json.dumps({"name": "s", "features": features}))
    with pytest.raises(BadFeatureSet, match=problem) as refused:
        FeatureSet.load(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize(("name", "text"), [("set.json", "{"), ("set.yaml", "a: [")])
def test_a_file_that_is_not_what_its_name_says(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(BadFeatureSet, match=name):
        FeatureSet.load(path)


def test_monotone_constraints_of_features():
    """A transform that turns values round turns that round too; where it goes up and down, nothing is known."""
    features = [
        {"name": "title", "kind": "bm25", "fields": ["title"]},
        {"name": "cosine", "kind": "vector_similarity", "field": "vector", "transform": {"function": "log1p"}},
        {"name": "rank", "kind": "fused", "value_of": "rank"},
        {"name": "share", "kind": "fused", "value_of": "rank", "transform": {"function": "reciprocal"}},
        {"name": "best_at_ten", "kind": "fused", "transform": {"function": "gauss", "origin": 10, "scale": 1}},
        {"name": "unfound", "kind": "retriever", "retriever": "knn", "value_of": "missing"},
        {"name": "price", "kind": "number", "field": "price"},
        {"name": "length", "kind": "query_length"},
    ]
    feature_set = FeatureSet.model_validate({"name": "s", "features": features})
    assert feature_set.directions == {"title": 1, "cosine": 1, "rank": -1, "share": 1, "unfound": -1}
