"""Elasticsearch's retrievers, which rank, fuse and rescore inside one search. Each is a value that can be nested.

`standard` and `rescorer` are free; `rrf`, `linear` and `text_similarity_reranker` need an enterprise or trial licence.

>>> body(rescorer(standard({"match": {"text": "tea"}}), {"match_phrase": {"text": "hot tea"}}), size=10)["size"]
10
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from hybridrank.connector.fusion import NativeForm

__all__ = ["Retriever", "body", "fused", "linear", "rescorer", "rrf", "standard", "text_similarity_reranker"]

Retriever: TypeAlias = dict[str, Any]


def standard(query: Mapping[str, Any]) -> Retriever:
    """Returns the documents that the query matches; a `knn` query is possible, like any other."""
    return {"standard": {"query": query}}


def fused(retrievers: Sequence[Retriever], form: NativeForm, *, rank_window_size: int) -> Retriever:
    """Fused by a form that a fusion of ours has in Elasticsearch."""
    held = [*retrievers]
    if form.weights:
        pairs = zip(retrievers, form.weights, strict=True)
        held = [{"retriever": each, "weight": weight, **form.per_retriever} for each, weight in pairs]
    return {form.name: {"retrievers": held, **form.parameters, "rank_window_size": rank_window_size}}


def rrf(
    retrievers: Sequence[Retriever], *, rank_constant: int = 60, weights: Sequence[float] = (), rank_window_size: int
) -> Retriever:
    """Fuses by reciprocal rank: Elasticsearch 8.16 and later, with weights other than 1 since 9.2.

    https://www.elastic.co/docs/reference/elasticsearch/rest-apis/retrievers/rrf-retriever
    """
    held = [*retrievers]
    if any(weight != 1 for weight in weights):
        held = [{"retriever": each, "weight": weight} for each, weight in zip(retrievers, weights, strict=True)]
    return {"rrf": {"retrievers": held, "rank_constant": rank_constant, "rank_window_size": rank_window_size}}


def linear(retrievers: Sequence[Retriever], *, weights: Sequence[float], rank_window_size: int) -> Retriever:
    """Fuses by the weighted sum of min-max scaled scores: Elasticsearch 8.18 and later.

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
    """Adds the score of an expensive query, such as a phrase, to the first `window_size` of each shard. Any licence.

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
    """Reranks the first `rank_window_size` by a rerank endpoint, possibly the sidecar; unchanged if it fails.

    Tolerating failures needs Elasticsearch 8.19, or 9.1 and later.

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
    """Returns a whole search body; `size` must not exceed the window of a retriever that has one."""
    return {
        "retriever": retriever,
        "size": size,
        "track_total_hits": False,
        **({"_source": source} if source is not None else {}),
    }
