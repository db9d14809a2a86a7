"""Pooling of documents to judge: the head of every ranking, in an order that does not reveal the pipeline."""

from collections.abc import Iterable, Mapping, Sequence

__all__ = ["pool"]


def pool(runs: Iterable[Mapping[str, Sequence[str]]], depth: int = 10) -> dict[str, tuple[str, ...]]:
    """Returns, per query, the doc_ids that any run ranks among its first `depth`, in alphabetical order.

    >>> pool([{"q": ["b", "a", "x"]}, {"q": ["c", "b"]}], depth=2)
    {'q': ('a', 'b', 'c')}
    """
    pooled: dict[str, set[str]] = {}
    for rankings in runs:
        for query_id, doc_ids in rankings.items():
            pooled.setdefault(query_id, set()).update(doc_ids[:depth])
    return {query_id: tuple(sorted(doc_ids)) for query_id, doc_ids in pooled.items()}
