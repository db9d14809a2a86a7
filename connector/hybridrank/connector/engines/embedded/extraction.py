"""Answers of the embedded engine for a feature set, in the shape of a server's answer to `features_body`.

The values are those of a server with one shard, except for a phrase with `slop`, whose score does not fall with the
moves that it needed, and for `proximity`, for which tantivy has no query: it is always unknown here.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tantivy

from hybridrank.common.field_paths import field_values
from hybridrank.connector.engines.embedded.index_reader import K1_PLUS_1, Snapshot
from hybridrank.connector.types import DocumentKey
from hybridrank.ltr_features import Feature, FeatureQuery, FeatureSet, clause_query
from hybridrank.ltr_features.base import words
from hybridrank.ltr_features.document import VectorSimilarity
from hybridrank.ltr_features.text import Bm25, Coverage, Idf, Phrase

__all__ = ["answer"]

_ALL_FIELDS, _BEST_FIELD = 1.0, 0.0  # the weight of the weaker fields, as in `most_fields` and `best_fields`


def answer(
    snapshot: Snapshot, feature_set: FeatureSet, query: FeatureQuery, keys: Sequence[DocumentKey]
) -> dict[str, Any]:
    """Returns a hit for each existing document, and the counts over all documents."""
    found = snapshot.ordinals(keys)
    among = tantivy.Query.const_score_query(
        tantivy.Query.term_set_query(snapshot.schema, "ordinal", list(found.values())), 0.0
    )
    scores = {
        each.name: _scores(snapshot, each, clause_query(feature_set, each, query), found, among)
        for each in feature_set.features
    }
    aggregations = {each.name: _counts(snapshot, each, query) for each in feature_set.features if each.kind == "idf"}
    hits = [
        {
            "_index": key.index,
            "_id": key.doc_id,
            "_source": snapshot.sources[ordinal],
            "fields": _docvalues(feature_set, snapshot.sources[ordinal]),
            "matched_queries": {name: each[ordinal] for name, each in scores.items() if ordinal in each},
        }
        for key, ordinal in found.items()
    ]
    return {"hits": {"hits": hits}, "aggregations": aggregations}


def _scores(
    snapshot: Snapshot, feature: Feature, query: FeatureQuery, found: Mapping[DocumentKey, int], among: tantivy.Query
) -> Mapping[int, float]:
    """Returns ordinal → score of the feature's clause, without the documents that do not match."""
    if isinstance(feature, VectorSimilarity):
        return _cosines(snapshot, query, list(found.values()))
    clause = _clause(snapshot, feature, query.text)
    if clause is None or not found:
        return {}
    both = tantivy.Query.boolean_query([(tantivy.Occur.Must, clause), (tantivy.Occur.Must, among)])
    scores = snapshot.by_ordinal(snapshot.searcher.search(both, len(found), count=False))
    factor = 1.0 if feature.kind == "coverage" else K1_PLUS_1
    return {ordinal: score / factor for ordinal, score in scores.items()}


def _clause(snapshot: Snapshot, feature: Feature, text: str) -> tantivy.Query | None:
    match feature:
        case Bm25(fields=fields, combine=combine):
            tie_breaker = _ALL_FIELDS if combine == "sum" else _BEST_FIELD
            by_field = [clause for field in fields if (clause := snapshot.any_of(field, text))]
            return tantivy.Query.disjunction_max_query(by_field, tie_breaker) if by_field else None
        case Phrase(field=field, slop=slop) if places := _places(snapshot, field, text):
            if len(places) == 1:
                return snapshot.any_of(field, text)
            return tantivy.Query.phrase_query(snapshot.schema, field, places, slop)
        case Coverage(field=field):
            each = [clause for word in words(text) if (clause := snapshot.any_of(field, word))]
            ones = [(tantivy.Occur.Should, tantivy.Query.const_score_query(one, 1.0)) for one in each]
            return tantivy.Query.boolean_query(ones) if ones else None
    return None


def _places(snapshot: Snapshot, field: str, text: str) -> list[str | tuple[int, str]]:
    """Returns the words of a phrase with positions; a stop word leaves its position empty, as in the index."""
    tokens = enumerate(re.findall(r"[^\W_]+", text))
    return [(place, stem) for place, token in tokens for stem in snapshot.words(field, token)]


def _cosines(snapshot: Snapshot, query: FeatureQuery, ordinals: Sequence[int]) -> dict[int, float]:
    """Returns (1 + cosine) / 2, the score of the servers."""
    if query.vector is None:
        return {}
    vector = np.asarray(query.vector, dtype=np.float32)
    rows = [ordinal for ordinal in ordinals if snapshot.has_vector[ordinal]]
    scores = (1 + snapshot.vectors[rows] @ (vector / (np.linalg.norm(vector) or 1))) / 2
    return dict(zip(rows, scores.tolist(), strict=True))


def _counts(snapshot: Snapshot, feature: Idf, query: FeatureQuery) -> dict[str, Any]:
    """Returns the number of documents, and for each word of the query the number of documents with it."""
    clauses = [snapshot.any_of(feature.field, word) or tantivy.Query.empty_query() for word in words(query.text)]
    found: list[Any] = [snapshot.searcher.search(clause, 1, count=True) for clause in clauses]
    return {"doc_count": len(snapshot.doc_ids)} | {
        str(place): {"doc_count": each.count} for place, each in enumerate(found)
    }


def _docvalues(feature_set: FeatureSet, source: Mapping[str, Any]) -> dict[str, list[Any]]:
    found = {
        each["field"]: field_values(source, each["field"])
        for feature in feature_set.features
        for each in feature.docvalues()
    }
    return {field: values for field, values in found.items() if values}
