"""The columns of a learning-to-rank model: named features, how an engine computes them, and the matrix they make."""

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
