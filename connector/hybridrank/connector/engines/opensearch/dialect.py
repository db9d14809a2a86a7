"""Clauses of OpenSearch for vectors. Pure."""

from typing import Any

from hybridrank.connector.queries.filters import clauses
from hybridrank.connector.queries.retrievers import Dialect, KnnQuery, SparseQuery

__all__ = ["OPENSEARCH"]


def _knn(query: KnnQuery) -> dict[str, Any]:
    """Builds the k-NN plugin's `knn` query. The lucene engine uses k as num_candidates, so k is set to that.

    k counts per shard; the size of the search cuts the ranking to the global window.

    https://docs.opensearch.org/latest/query-dsl/specialized/k-nn/index/
    """
    clause: dict[str, Any] = {"vector": list(query.vector), "k": query.num_candidates}
    if query.oversample:
        clause["rescore"] = {"oversample_factor": query.oversample}
    if query.filters:
        clause["filter"] = {"bool": {"filter": clauses(query.filters)}}
    return {query.field: clause}


def _sparse(query: SparseQuery) -> dict[str, Any]:
    """Builds the `neural_sparse` query of the plugin neural-search from tokens, for which it needs no model.

    A `rank_feature` query for each token would not find tokens with a dot.

    https://docs.opensearch.org/latest/query-dsl/specialized/neural-sparse/
    """
    return {"neural_sparse": {query.field: {"query_tokens": dict(query.weights)}}}


OPENSEARCH = Dialect("opensearch", _knn, _sparse)
