"""kNN query body for a query vector, one function for each engine's dialect.

The filter is inside the kNN clause: outside it would be applied after the k nearest were chosen and leave fewer. `size`
cuts the ranking to the global window, because k counts per shard.
"""

from typing import Any

from hybridrank.connector.queries.filters import clauses
from hybridrank.connector.queries.retrievers import nested
from hybridrank.connector.types import KnnQuery, Vector

__all__ = ["as_bytes", "elasticsearch", "opensearch"]

_LARGEST = 127


def as_bytes(vector: Vector) -> tuple[int, ...]:
    """Scales to whole numbers from -127 to 127, using the full range: for cosine only the direction of a vector counts.

    >>> as_bytes((0.1, -0.05, 0.0))
    (127, -64, 0)
    """
    peak = max(map(abs, vector), default=0) or 1
    return tuple(round(_LARGEST * value / peak) for value in vector)


def opensearch(query: KnnQuery) -> dict[str, Any]:
    """Builds the k-NN plugin's `knn` query. The lucene engine uses k as num_candidates, so k is set to that.

    https://docs.opensearch.org/latest/query-dsl/specialized/k-nn/index/
    """
    clause: dict[str, Any] = {"vector": list(query.vector), "k": query.num_candidates}
    if query.oversample:
        clause["rescore"] = {"oversample_factor": query.oversample}
    if query.filters:
        clause["filter"] = {"bool": {"filter": clauses(query.filters)}}
    return _body({query.field: clause}, query)


def elasticsearch(query: KnnQuery) -> dict[str, Any]:
    """Builds the `knn` query of Elasticsearch 8.12 and later.

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
    return _body(clause, query)


def _body(clause: dict[str, Any], query: KnnQuery) -> dict[str, Any]:
    nearest = {"knn": clause}
    return {
        "query": nested.best(query.path, nearest, name="knn") if query.path else nearest,
        "size": query.rank_window_size,
        "track_total_hits": False,
        "_source": {"excludes": list(query.source_excludes)} if query.with_sources else False,
        **({"profile": True} if query.profile else {}),
    }
