"""Elasticsearch's retrievers: what ranks, fuses and rescores inside one search. Each is a value that others hold.

`standard` and `rescorer` are free; `rrf`, `linear` and `text_similarity_reranker` want an enterprise or trial licence.

>>> body(rescorer(standard({"match": {"text": "tea"}}), {"match_phrase": {"text": "hot tea"}}), size=10)["size"]
10
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

__all__ = ["Retriever", "body", "linear", "rescorer", "rrf", "standard", "text_similarity_reranker"]

Retriever: TypeAlias = dict[str, Any]


def standard(query: Mapping[str, Any]) -> Retriever:
    """What the query finds; a `knn` query as well as any other."""
    return {"standard": {"query": query}}


def rrf(
    retrievers: Sequence[Retriever], *, rank_constant: int = 60, weights: Sequence[float] = (), rank_window_size: int
) -> Retriever:
    """Fused by reciprocal rank: Elasticsearch 8.16 and later, with weights other than 1 since 9.2.

    https://www.elastic.co/docs/reference/elasticsearch/rest-apis/retrievers/rrf-retriever
    """
    held = [*retrievers]
    if any(weight != 1 for weight in weights):
        held = [{"retriever": each, "weight": weight} for each, weight in zip(retrievers, weights, strict=True)]
    return {"rrf": {"retrievers": held, "rank_constant": rank_constant, "rank_window_size": rank_window_size}}


def linear(retrievers: Sequence[Retriever], *, weights: Sequence[float], rank_window_size: int) -> Retriever:
    """Fused by the weighted sum of min-max scaled scores: Elasticsearch 8.18 and later.

    https://www.elastic.co/docs/reference/elasticsearch/rest-apis/retrievers/linear-retriever
    """
    held = [
        {"retriever": each, "weight": weight, "normalizer": "minmax"}
        for each, weight in zip(retrievers, weights, strict=True)
    ]
    return {"linear": {"retrievers": held, "rank_window_size": rank_window_size}}


def rescorer(
    retriever: Retriever,
    rescore_query: Mapping[str, Any],
    *,
    window_size: int = 50,
    query_weight: float = 1.0,
    rescore_query_weight: float = 1.0,
) -> Retriever:
    """The first `window_size` of each shard, with the score of a dearer query added: a phrase, say. On any licence.

    https://www.elastic.co/docs/reference/elasticsearch/rest-apis/retrievers/rescorer-retriever
    """
    query = {
        "rescore_query": rescore_query,
        "query_weight": query_weight,
        "rescore_query_weight": rescore_query_weight,
        "score_mode": "total",
    }
    return {"rescorer": {"retriever": retriever, "rescore": {"window_size": window_size, "query": query}}}


def text_similarity_reranker(
    retriever: Retriever, *, field: str, inference_id: str, query_text: str, rank_window_size: int = 50
) -> Retriever:
    """The first `rank_window_size` as a rerank endpoint orders them, which may be the sidecar; as found when it fails.

    That failures are allowed wants Elasticsearch 8.19, or 9.1 and later.

    https://www.elastic.co/docs/reference/elasticsearch/rest-apis/retrievers/text-similarity-reranker-retriever
    """
    return {
        "text_similarity_reranker": {
            "retriever": retriever,
            "field": field,
            "inference_id": inference_id,
            "inference_text": query_text,
            "rank_window_size": rank_window_size,
            "allow_rerank_failures": True,
        }
    }


def body(retriever: Retriever, *, size: int, source: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A whole search; `size` must not exceed the window of a retriever that has one."""
    return {
        "retriever": retriever,
        "size": size,
        "track_total_hits": False,
        **({"_source": source} if source is not None else {}),
    }
