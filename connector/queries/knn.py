"""Query vector → kNN query body, one function for each engine's dialect.

The filter goes inside the kNN clause: outside it would be applied after the k nearest were chosen and leave fewer.
`size` cuts the ranking to the global window, since k counts per shard.
"""

from typing import Any

from connector.queries.filters import clauses
from connector.types import KnnQuery

__all__ = ["elasticsearch", "opensearch"]


def opensearch(query: KnnQuery) -> dict[str, Any]:
    """The k-NN plugin's `knn` query. The lucene engine takes its num_candidates from k, so k is set to it.

    https://docs.opensearch.org/latest/query-dsl/specialized/k-nn/index/
    """
    clause: dict[str, Any] = {"vector": list(query.vector), "k": query.num_candidates}
    if query.filters:
        clause["filter"] = {"bool": {"filter": clauses(query.filters)}}
    return _body({query.field: clause}, query)


def elasticsearch(query: KnnQuery) -> dict[str, Any]:
    """The `knn` query of Elasticsearch 8.12 and later.

    https://www.elastic.co/docs/reference/query-languages/query-dsl/query-dsl-knn-query
    """
    clause: dict[str, Any] = {
        "field": query.field,
        "query_vector": list(query.vector),
        "k": query.rank_window_size,
        "num_candidates": query.num_candidates,
    }
    if query.filters:
        clause["filter"] = clauses(query.filters)
    return _body(clause, query)


def _body(clause: dict[str, Any], query: KnnQuery) -> dict[str, Any]:
    return {
        "query": {"knn": clause},
        "size": query.rank_window_size,
        "track_total_hits": False,
        "_source": {"excludes": list(query.source_excludes)},
        **({"profile": True} if query.profile else {}),
    }
