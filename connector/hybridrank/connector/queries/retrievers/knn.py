"""kNN query body for a query vector, one function for each engine's dialect.

The filter is inside the kNN clause: outside it would be applied after the k nearest were chosen and leave fewer. `size`
cuts the ranking to the global window, because k counts per shard.
"""

from dataclasses import dataclass
from typing import Any

from hybridrank.connector.queries.filters import Filter, clauses
from hybridrank.connector.queries.retrievers import nested
from hybridrank.connector.types import Vector
from hybridrank.index_templates import EncoderNote

__all__ = ["KnnQuery", "elasticsearch", "opensearch"]


@dataclass(frozen=True, slots=True)
class KnnQuery:
    """Query of the kNN retriever: the nearest `rank_window_size` documents to `vector` by cosine.

    `num_candidates` limits the candidates of an approximate index on each shard; an exact engine ignores it. If the
    index rounds vectors, `oversample` times as many are rescored with full-precision vectors. `path` is the nested
    field that contains `field`; a document then has its nearest passage's score. `encoder` made the vector, None for a
    caller's own: an engine compares it with the encoder of the index's vectors.
    """

    vector: Vector
    field: str
    rank_window_size: int
    num_candidates: int
    filters: tuple[Filter, ...] = ()
    source_excludes: tuple[str, ...] = ()
    profile: bool = False
    oversample: float | None = None
    path: str = ""
    with_sources: bool = True
    encoder: EncoderNote | None = None


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
