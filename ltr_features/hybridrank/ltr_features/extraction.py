"""Builds one search body for a feature set and all candidates, and reads the answer into a matrix. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

from hybridrank.common.query_text import MAX_CLAUSES, beginning
from hybridrank.ltr_features.base import MAX_WORDS
from hybridrank.ltr_features.feature_set import Feature, FeatureSet
from hybridrank.ltr_features.values import Among, CandidateFacts, Dialect, FeatureQuery, Seen

__all__ = ["clause_query", "features_body", "matrix"]


def features_body(feature_set: FeatureSet, query: FeatureQuery, among: Among, *, dialect: Dialect) -> dict[str, Any]:
    """Builds one search that returns every feature of every candidate, without a plugin or a licence.

    Send it with `include_named_queries_score=true`: each clause that matches a candidate then returns its score under
    the feature's name. `among` matches only the candidates, so no clause scores another document.
    """
    features = feature_set.features
    clauses = {each.name: each.clause(clause_query(feature_set, each, query), among, dialect) for each in features}
    should = [{"bool": {"must": [clause], "_name": name}} for name, clause in clauses.items() if clause]
    docvalues = {value["field"]: value for each in features for value in each.docvalues()}
    source = dict.fromkeys(field for each in features for field in each.source_fields())
    aggregations = {name: body for each in features for name, body in each.aggregations(query).items()}
    body: dict[str, Any] = {
        "size": among.count,
        "query": {"bool": {"filter": [among.clause], "should": should}},
        "track_total_hits": False,
        "_source": list(source) or False,
    }
    if docvalues:
        body["docvalue_fields"] = list(docvalues.values())
    if aggregations:
        body["aggs"] = aggregations
    return body


def clause_query(feature_set: FeatureSet, feature: Feature, query: FeatureQuery) -> FeatureQuery:
    """Cuts the query to the words that a feature searches for, because one search holds the clauses of all features."""
    if not feature.clauses_per_word:
        return query
    per_word = sum(each.clauses_per_word for each in feature_set.features)
    bounded = sum(MAX_WORDS if each.kind == "coverage" else 1 for each in feature_set.features)
    clauses = max(MAX_CLAUSES // 2, MAX_CLAUSES - bounded)
    return replace(query, text=beginning(query.text, per_word, clauses=clauses))


def matrix(
    feature_set: FeatureSet, query: FeatureQuery, candidates: Sequence[CandidateFacts], answer: Mapping[str, Any]
) -> tuple[tuple[float, ...], ...]:
    """Returns a row for each candidate, in their order, with a value for each feature, NaN if unknown.

    `answer` is the engine's answer to `features_body`, or {} if there is none; then only values from earlier stages are
    known.
    """
    hits = {(hit["_index"], hit["_id"]): hit for hit in answer.get("hits", {}).get("hits", ())}
    aggregations = answer.get("aggregations", {})
    query = replace(query, now=query.now or datetime.now(timezone.utc))
    seen = (Seen(query, each, hits.get((each.index, each.doc_id), {}), aggregations) for each in candidates)
    return tuple(tuple(feature.value(each) for feature in feature_set.features) for each in seen)
