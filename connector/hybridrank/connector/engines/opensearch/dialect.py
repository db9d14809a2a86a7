"""kNN clause of OpenSearch. Pure."""

from typing import Any

from hybridrank.connector.queries.filters import clauses
from hybridrank.connector.queries.retrievers import Dialect, KnnQuery

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


OPENSEARCH = Dialect("opensearch", _knn)
