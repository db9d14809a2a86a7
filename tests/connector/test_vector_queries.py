"""Queries on indices that store vectors in different ways: fields, bodies, and the best passage."""

from hypothesis import given
from hypothesis import strategies as st

from hybridrank.connector.engines.elasticsearch.dialect import ELASTICSEARCH
from hybridrank.connector.engines.opensearch.dialect import OPENSEARCH
from hybridrank.connector.engines.rest import msearch
from hybridrank.connector.fusion import Rrf
from hybridrank.connector.mapping import fields
from hybridrank.connector.mapping.byte_vectors import as_bytes
from hybridrank.connector.mapping.field_types import known_fields
from hybridrank.connector.queries import checks
from hybridrank.connector.queries.filters import Term
from hybridrank.connector.queries.retrievers import Bm25Query, KnnQuery
from hybridrank.connector.types import Candidate, FoundPassage
from hybridrank.index_templates import IndexDefinition, render

VECTOR = (0.5, -0.25, 0.0)
QUERY = KnnQuery(VECTOR, "vector", rank_window_size=10, num_candidates=20, oversample=3.0)
WORDS = Bm25Query("hot tea", {"text": 1.0}, rank_window_size=10, source_excludes=("vector",))


def index(engine: str = "opensearch", **definition) -> fields.Fields:
    template = render(engine, "docs", IndexDefinition(3, **definition))["template"]
    return fields.read({"docs": {"mappings": template["mappings"]}})


def test_only_vectors_that_the_engine_rounds_are_compared_again():
    assert checks.with_fields(QUERY, index()).oversample is None
    assert checks.with_fields(QUERY, index(vectors="byte")).oversample is None
    rounded = checks.with_fields(QUERY, index(vectors="int8"))
    assert rounded.body(OPENSEARCH)["query"]["knn"]["vector"]["rescore"] == {"oversample_factor": 3.0}
    rounded = checks.with_fields(QUERY, index("elasticsearch", vectors="bbq"))
    assert rounded.body(ELASTICSEARCH)["query"]["knn"]["rescore_vector"] == {"oversample": 3.0}


def test_bytes_are_asked_for_with_bytes():
    assert checks.with_fields(QUERY, index(vectors="byte")).vector == (127, -64, 0)


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=8).map(tuple))
def test_bytes_are_in_range_and_keep_the_direction(vector):
    rounded = as_bytes(vector)
    assert all(-127 <= each <= 127 for each in rounded)
    peak = max(map(abs, vector))
    if peak:
        assert all(
            abs(each / 127 - value / peak) <= 0.5 / 127 + 1e-9 for each, value in zip(rounded, vector, strict=True)
        )
    else:
        assert set(rounded) == {0}


def test_an_index_of_passages_is_asked_for_those():
    there = index(passages=True)
    nearest = checks.with_fields(
        KnnQuery(
            VECTOR,
            "vector",
            rank_window_size=10,
            num_candidates=20,
            filters=(Term("kind", "drink"),),
            source_excludes=("vector",),
        ),
        there,
    )
    lacks = f"index 'docs' has no field 'kind'; {known_fields('kind', there.types)}"
    assert checks.problem("docs", there, nearest) == lacks
    assert nearest.body(ELASTICSEARCH) == {
        "query": {
            "nested": {
                "path": "passages",
                "score_mode": "max",
                "ignore_unmapped": True,
                "query": {
                    "knn": {
                        "field": "passages.vector",
                        "query_vector": [0.5, -0.25, 0.0],
                        "k": 10,
                        "num_candidates": 20,
                        "filter": [{"term": {"kind": "drink"}}],
                    }
                },
                "inner_hits": {"name": "knn", "size": 1, "_source": ["passages.text"]},
            }
        },
        "size": 10,
        "track_total_hits": False,
        "_source": {"excludes": ["vector", "passages"]},
    }
    words = checks.with_fields(WORDS, there).body(OPENSEARCH)
    assert words["_source"] == {"excludes": ["vector", "passages"]}
    assert [*words["query"]["bool"]] == ["must", "should"]
    (best,) = words["query"]["bool"]["should"]
    assert best["nested"]["boost"] == 0
    assert best["nested"]["query"] == {"match": {"passages.text": "hot tea"}}


def test_counting_brings_no_passage_along():
    counting = Bm25Query("tea", {"text": 1.0}, rank_window_size=0)
    assert checks.with_fields(counting, index(passages=True)).path == ""


def test_a_vector_in_a_nested_field_of_another_name_may_be_named():
    properties = {
        "chunks": {
            "type": "nested",
            "properties": {"embedding": {"type": "knn_vector", "dimension": 3}, "by": {"type": "keyword"}},
        }
    }
    there = fields.read({"docs": {"mappings": {"properties": properties}}})
    named = checks.with_fields(KnnQuery(VECTOR, "chunks.embedding", rank_window_size=10, num_candidates=20), there)
    assert (named.path, named.source_excludes) == ("chunks", ("chunks.embedding",))
    assert checks.problem("docs", there, named) == ""
    inside = KnnQuery(
        VECTOR, "chunks.embedding", rank_window_size=10, num_candidates=20, filters=(Term("chunks.by", "ann"),)
    )
    assert "lies in the nested field 'chunks'" in checks.problem("docs", there, inside)
    assert "3 dimensions" in checks.problem(
        "docs", there, KnnQuery((1.0,), "chunks.embedding", rank_window_size=10, num_candidates=20)
    )


def hit(doc_id: str, **inner) -> dict:
    passages = {
        name: {"hits": {"hits": [{"_nested": {"offset": place}, "_source": {"text": text}} for place, text in found]}}
        for name, found in inner.items()
    }
    return {"_index": "docs", "_id": doc_id, "_score": 1.0, "inner_hits": passages}


def test_a_hit_says_which_passage_it_was():
    hits = [hit("a", knn=[(2, "hot tea")]), hit("b", bm25=[]), hit("c", bm25=[(1, "milk")], knn=[(0, "tea")])]
    answer = msearch.retrieved("docs", {"hits": {"hits": hits}})
    assert [each.passage for each in answer.ranking] == [FoundPassage(2, "hot tea"), None, FoundPassage(0, "tea")]


def test_fusion_keeps_the_passage_of_the_best_ranking_retriever():
    first, second = FoundPassage(0, "first"), FoundPassage(1, "second")
    rankings = {
        "bm25": (Candidate("a", 1, 2.0, {}, first), Candidate("b", 2, 1.0)),
        "knn": (Candidate("b", 1, 0.9, {}, second), Candidate("a", 2, 0.8, {}, second)),
    }
    for order in (rankings, dict(reversed(rankings.items()))):
        found = {each.candidate.doc_id: each.candidate.passage for each in Rrf().fuse(order)}
        assert found == {"a": first, "b": second}
