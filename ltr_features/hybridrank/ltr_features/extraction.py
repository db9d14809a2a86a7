"""A feature set → one search body for all candidates; the answer → a matrix. Pure."""

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
    """One search that gives every feature of every candidate, without a plugin or a licence.

    To be sent with `include_named_queries_score=true`: each clause that matches a candidate then tells its score under
    the feature's name. `among` matches the candidates and nothing else, so no clause scores another document.
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
    """The query as far as a feature looks for its words: one search holds the clauses of all features."""
    if not feature.clauses_per_word:
        return query
    per_word = sum(each.clauses_per_word for each in feature_set.features)
    bounded = sum(MAX_WORDS if each.kind == "coverage" else 1 for each in feature_set.features)
    clauses = max(MAX_CLAUSES // 2, MAX_CLAUSES - bounded)
    return replace(query, text=beginning(query.text, per_word, clauses=clauses))


def matrix(
    feature_set: FeatureSet, query: FeatureQuery, candidates: Sequence[CandidateFacts], answer: Mapping[str, Any]
) -> tuple[tuple[float, ...], ...]:
    """A row for each candidate, in their order, with a value for each feature, NaN where it is not known.

    `answer` is the engine's to `features_body`, or {} when there is none: what the stages before know remains.
    """
    hits = {(hit["_index"], hit["_id"]): hit for hit in answer.get("hits", {}).get("hits", ())}
    aggregations = answer.get("aggregations", {})
    query = replace(query, now=query.now or datetime.now(timezone.utc))
    seen = (Seen(query, each, hits.get((each.index, each.doc_id), {}), aggregations) for each in candidates)
    return tuple(tuple(feature.value(each) for feature in feature_set.features) for each in seen)
