"""Each kind of feature: what it asks of the engine, and how its value is read from an answer."""

import math
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.ltr_features import Among, CandidateFacts, FeatureQuery, FeatureSet, features_body, matrix

NOW = datetime(2024, 3, 31, tzinfo=timezone.utc)
QUERY = FeatureQuery("Red wool scarf", vector=(0.6, 0.8), request={"loyalty": 3.0}, now=NOW)
CANDIDATE = CandidateFacts("d1", {"bm25": (2, 7.5)}, 4, 0.03, {"cross-encoder": 1.25}, "docs")
ONLY = {"bool": {"filter": [{"term": {"_index": "docs"}}, {"ids": {"values": ["d1", "d2"]}}]}}


def one(kind, **parameters):
    return FeatureSet.model_validate({"name": "s", "features": [{"name": "f", "kind": kind, **parameters}]})


def body(feature_set, query=QUERY, dialect="opensearch"):
    return features_body(feature_set, query, Among(ONLY, 2), dialect=dialect)


def clause(feature_set, **options):
    (named,) = body(feature_set, **options)["query"]["bool"]["should"]
    assert named["bool"].pop("_name") == "f"
    (only,) = named["bool"]["must"]
    return only


def value(feature_set, hit=None, aggregations=None, query=QUERY, candidate=CANDIDATE):
    answer = {
        "hits": {"hits": [{"_index": "docs", "_id": "d1", **hit}] if hit is not None else []},
        "aggregations": aggregations or {},
    }
    ((found,),) = matrix(feature_set, query, [candidate], answer)
    return found


def scored(score):
    return {"matched_queries": {"f": score}}


def test_the_body_asks_for_the_candidates_and_no_other_documents():
    found = body(one("bm25", fields=["title"]))
    assert found["query"]["bool"]["filter"] == [ONLY]
    assert (found["size"], found["track_total_hits"], found["_source"]) == (2, False, False)


@pytest.mark.parametrize(
    ("kind", "parameters", "expected"),
    [
        ("bm25", {"fields": ["title"]}, {"match": {"title": {"query": "Red wool scarf"}}}),
        (
            "bm25",
            {"fields": ["title", "text"], "combine": "best"},
            {"multi_match": {"query": "Red wool scarf", "fields": ["title", "text"], "type": "best_fields"}},
        ),
        ("phrase", {"field": "title"}, {"match_phrase": {"title": {"query": "Red wool scarf", "slop": 0}}}),
        (
            "proximity",
            {"field": "text"},
            {"intervals": {"text": {"match": {"query": "Red wool scarf", "max_gaps": 8}}}},
        ),
    ],
)
def test_clauses_whose_score_is_the_value(kind, parameters, expected):
    feature_set = one(kind, **parameters)
    assert clause(feature_set) == expected
    assert value(feature_set, scored(3.5)) == 3.5
    assert math.isnan(value(feature_set, {"matched_queries": {}}))
    assert math.isnan(value(feature_set))  # the document was deleted meanwhile


def test_coverage_is_the_share_of_the_querys_different_words():
    feature_set = one("coverage", field="text")
    words = [
        each["constant_score"]["filter"]["match"]["text"]["query"] for each in clause(feature_set)["bool"]["should"]
    ]
    assert words == ["red", "wool", "scarf"]
    assert value(feature_set, scored(2.0)) == 2 / 3
    assert math.isnan(value(feature_set))
    assert value(feature_set, {"matched_queries": {}}) == 0.0
    assert value(one("coverage", field="text", count=True), scored(2.0)) == 2.0
    assert body(feature_set, FeatureQuery("?!"))["query"]["bool"]["should"] == []
    assert math.isnan(value(feature_set, scored(0.0), query=FeatureQuery("?!")))


def test_idf_counts_over_the_whole_index():
    counts = body(one("idf", field="text"))["aggs"]["f"]
    assert counts["global"] == {}
    assert counts["aggs"]["2"] == {"filter": {"match": {"text": "scarf"}}}
    answer = {"f": {"doc_count": 10, "0": {"doc_count": 5}, "1": {"doc_count": 0}, "2": {"doc_count": 1}}}
    red, scarf = (math.log(1 + (10 - n + 0.5) / (n + 0.5)) for n in (5, 1))  # no document holds wool
    assert value(one("idf", field="text"), {}, answer) == pytest.approx(red + scarf)
    assert value(one("idf", field="text", combine="max"), {}, answer) == pytest.approx(scarf)
    assert value(one("idf", field="text", combine="mean"), {}, answer) == pytest.approx((red + scarf) / 2)


@pytest.mark.parametrize("combine", ["sum", "max", "mean"])
def test_idf_of_words_that_no_document_holds_is_zero(combine):
    answer = {"f": {"doc_count": 10, **{str(place): {"doc_count": 0} for place in range(3)}}}
    assert value(one("idf", field="text", combine=combine), {}, answer) == 0.0


def test_cosine_similarity_is_written_for_each_engine():
    feature_set = one("vector_similarity", field="vector")
    assert clause(feature_set) == {"knn": {"vector": {"vector": [0.6, 0.8], "k": 2, "filter": ONLY}}}
    assert clause(feature_set, dialect="elasticsearch") == {
        "knn": {"field": "vector", "query_vector": [0.6, 0.8], "k": 2, "num_candidates": 2, "filter": ONLY}
    }
    assert value(feature_set, scored(0.95)) == pytest.approx(0.9)  # (1 + cosine) / 2
    assert body(feature_set, FeatureQuery("red"))["query"]["bool"]["should"] == []


@pytest.mark.parametrize(("mode", "expected"), [("max", 30.0), ("min", 10.0), ("sum", 60.0), ("mean", 20.0)])
def test_a_number_of_several_values(mode, expected):
    feature_set = one("number", field="price", mode=mode)
    assert body(feature_set)["docvalue_fields"] == [{"field": "price"}]
    assert value(feature_set, {"fields": {"price": [10, 20, 30]}}) == expected
    assert math.isnan(value(feature_set, {"fields": {}}))


def test_age_is_in_days_before_now():
    feature_set = one("age", field="released")
    assert body(feature_set)["docvalue_fields"] == [{"field": "released"}]
    millis = 1000 * int(datetime(2024, 3, 1, tzinfo=timezone.utc).timestamp())
    for march_1st in (millis, str(millis), "2024-03-01", "2024-03-01T00:00:00.000Z", "2024-03-01T01:00:00+01:00"):
        assert value(feature_set, {"fields": {"released": ["0", march_1st]}}) == 30.0
    assert math.isnan(value(feature_set, {}))
    formatted = one("age", field="released", format="epoch_millis")
    assert body(formatted)["docvalue_fields"] == [{"field": "released", "format": "epoch_millis"}]


@pytest.mark.parametrize("kind", ["age", "number"])
def test_a_value_of_another_kind_is_not_known(kind):
    feature_set = one(kind, field="released")
    assert math.isnan(value(feature_set, {"fields": {"released": ["last spring"]}}))


def test_the_length_of_a_text_is_counted_in_the_stored_document():
    feature_set = one("field_length", field="product.name")
    assert body(feature_set)["_source"] == ["product.name"]
    assert value(feature_set, {"_source": {"product": {"name": ["red wool", "scarf"]}}}) == 3.0
    assert value(feature_set, {"_source": {"product": None}}) == 0.0
    assert value(feature_set, {"_source": {"product": [{"name": "red wool"}, {"name": ["scarf"]}]}}) == 3.0
    assert value(feature_set, {"_source": {"product.name": "red wool"}}) == 2.0


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"kind": "query_length"}, 3.0),
        ({"kind": "retriever", "retriever": "bm25"}, 7.5),
        ({"kind": "retriever", "retriever": "bm25", "value_of": "rank"}, 2.0),
        ({"kind": "retriever", "retriever": "bm25", "value_of": "missing"}, 0.0),
        ({"kind": "retriever", "retriever": "knn", "value_of": "missing"}, 1.0),
        ({"kind": "retriever", "retriever": "knn"}, math.nan),
        ({"kind": "fused"}, 0.03),
        ({"kind": "fused", "value_of": "rank"}, 4.0),
        ({"kind": "rerank_score", "model": "cross-encoder"}, 1.25),
        ({"kind": "rerank_score", "model": "other"}, math.nan),
        ({"kind": "request", "key": "loyalty"}, 3.0),
        ({"kind": "request", "key": "age"}, math.nan),
    ],
)
def test_missing_parameters_are_not_sent_to_the_engine(parameters, expected):
    feature_set = one(**parameters)
    assert body(feature_set)["query"]["bool"]["should"] == []
    assert value(feature_set) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("transform", "at", "expected"),
    [
        ({"function": "log1p"}, 99.0, math.log(100)),
        ({"function": "log1p"}, -99.0, -math.log(100)),
        ({"function": "saturation", "pivot": 10}, 30.0, 0.75),
        ({"function": "saturation", "pivot": 10}, math.inf, 1.0),
        ({"function": "reciprocal"}, 1.0, 1 / 61),
        ({"function": "exp", "scale": 30}, 60.0, 0.25),
        ({"function": "gauss", "scale": 30}, 60.0, 0.5**4),
        ({"function": "linear", "scale": 30}, 45.0, 0.25),
        ({"function": "linear", "scale": 30}, 600.0, 0.0),
        ({"function": "exp", "scale": 10, "origin": 100, "offset": 5}, 85.0, 0.5),
    ],
)
def test_a_transform_is_applied_to_a_known_value_and_nan_stays(transform, at, expected):
    feature_set = one("number", field="n", transform=transform)
    assert value(feature_set, {"fields": {"n": [at]}}) == pytest.approx(expected)
    assert math.isnan(value(feature_set, {}))


@given(st.floats(0, 1e12), st.floats(0, 1e12), st.sampled_from(["exp", "gauss", "linear"]))
def test_a_decay_never_rises_with_the_distance(a, b, function):
    feature_set = one("number", field="n", transform={"function": function, "scale": 7.0})
    near, far = (value(feature_set, {"fields": {"n": [each]}}) for each in sorted((a, b)))
    assert 0.0 <= far <= near <= 1.0


def test_rows_follow_the_candidates_in_any_order_of_hits():
    feature_set = one("bm25", fields=["title"])
    candidates = [CandidateFacts(doc_id, {}, 1, 0.0, index="docs") for doc_id in ("a", "b", "c")]
    hits = [{"_index": "docs", "_id": "c", **scored(3.0)}, {"_index": "docs", "_id": "a", **scored(1.0)}]
    rows = matrix(feature_set, QUERY, candidates, {"hits": {"hits": hits}})
    assert rows == ((1.0,), pytest.approx((math.nan,), nan_ok=True), (3.0,))


def test_one_id_in_two_indices_has_two_rows():
    feature_set = one("bm25", fields=["title"])
    candidates = [CandidateFacts("1", {}, rank, 0.0, index=index) for rank, index in enumerate(("en", "de", "fr"), 1)]
    hits = [{"_index": "de", "_id": "1", **scored(3.0)}, {"_index": "en", "_id": "1", **scored(1.0)}]
    rows = matrix(feature_set, QUERY, candidates, {"hits": {"hits": hits}})
    assert rows == ((1.0,), (3.0,), pytest.approx((math.nan,), nan_ok=True))
