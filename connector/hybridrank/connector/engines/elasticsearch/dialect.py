"""Clauses of Elasticsearch for vectors. Pure."""

from typing import Any

from hybridrank.connector.queries.filters import clauses
from hybridrank.connector.queries.retrievers import Dialect, KnnQuery, SparseQuery

__all__ = ["ELASTICSEARCH"]


def _knn(query: KnnQuery) -> dict[str, Any]:
    """Builds the `knn` query of Elasticsearch 8.12 and later.

    k counts per shard; the size of the search cuts the ranking to the global window.

    https://www.elastic.co/docs/reference/query-languages/query-dsl/query-dsl-knn-query
    """
    clause: dict[str, Any] = {
        "field": query.field,
        "query_vector": list(query.vector),
        "k": query.rank_window_size,
        "num_candidates": query.num_candidates,
    }
    if query.oversample:
        clause["rescore_vector"] = {"oversample": query.oversample}
    if query.filters:
        clause["filter"] = clauses(query.filters)
    return clause


def _sparse(query: SparseQuery) -> dict[str, Any]:
    """Builds the `sparse_vector` query, without pruning, so that every token counts.

    https://www.elastic.co/docs/reference/query-languages/query-dsl/query-dsl-sparse-vector-query
    """
    return {"sparse_vector": {"field": query.field, "query_vector": dict(query.weights), "prune": False}}


ELASTICSEARCH = Dialect("elasticsearch", _knn, _sparse)
