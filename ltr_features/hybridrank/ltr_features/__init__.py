"""Columns of a learning-to-rank model: named features, their computation by an engine, and the resulting matrix."""

from hybridrank.ltr_features.extraction import clause_query, features_body, matrix
from hybridrank.ltr_features.feature_set import BadFeatureSet, Feature, FeatureSet
from hybridrank.ltr_features.values import Among, CandidateFacts, Dialect, FeatureQuery

__all__ = [
    "Among",
    "BadFeatureSet",
    "CandidateFacts",
    "Dialect",
    "Feature",
    "FeatureQuery",
    "FeatureSet",
    "clause_query",
    "features_body",
    "matrix",
]
