"""BM25 query body for a query text, the same for OpenSearch and Elasticsearch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hybridrank.common.query_text import beginning
from hybridrank.connector.queries import documents
from hybridrank.connector.queries.filters import Filter, clauses
from hybridrank.connector.queries.retrievers import nested
from hybridrank.connector.types import DocumentKey

__all__ = ["TIE_BREAKER", "Bm25Query", "body", "highlights", "searched_text"]

TIE_BREAKER = 0.2
"""Weight of the weaker fields relative to the best one. Chosen on scifact train and dev, nDCG@10: 0.0 .678, 0.1 .690,
0.2 .695, 0.3 .695, 0.5 .691, 1.0 (fields added up) .672."""


@dataclass(frozen=True, slots=True)
class Bm25Query:
    """Query of the BM25 retriever: `text` against `fields` (name → boost), for `rank_window_size` candidates.

    Without `fields`, it uses the fields and boosts of the index.

    `source_excludes` names large fields that hits leave out. `aggregations`, in the engine's syntax, count over all
    matches. `passages` is the nested field whose best passage each hit includes. Without `with_sources` the ranking has
    only ids and scores. `track_total_hits` is the maximum of counted matches; True counts all of them.
    """

    text: str
    fields: Mapping[str, float]
    rank_window_size: int
    filters: tuple[Filter, ...] = ()
    source_excludes: tuple[str, ...] = ()
    aggregations: Mapping[str, Any] = field(default_factory=dict)
    profile: bool = False
    passages: str = ""
    with_sources: bool = True
    track_total_hits: bool | int = False


def body(query: Bm25Query) -> dict[str, Any]:
    """Builds a `multi_match` of the text over the boosted fields, with filters that do not change the score.

    `operator: or` lets WAND skip documents that cannot reach the window, after the requested number of hits is counted.
    """
    return {
        "query": _query(query),
        "size": query.rank_window_size,
        "track_total_hits": query.track_total_hits,
        "_source": {"excludes": list(query.source_excludes)} if query.with_sources else False,
        **({"aggs": dict(query.aggregations)} if query.aggregations else {}),
        **({"profile": True} if query.profile else {}),
    }


def _query(query: Bm25Query) -> dict[str, Any]:
    match_text = _match(query)
    more: dict[str, Any] = {"filter": clauses(query.filters)} if query.filters else {}
    if query.passages:  # which change no score
        words = {"match": {f"{query.passages}.text": searched_text(query)}}
        best = nested.best(query.passages, words, name="bm25")
        more["should"] = [{"nested": best["nested"] | {"boost": 0}}]
    return {"bool": {"must": [match_text], **more}} if more else match_text


def highlights(query: Bm25Query, fields: Sequence[str], keys: Sequence[DocumentKey]) -> dict[str, Any]:
    """Returns these documents with fragments of `fields` around matches of the text; document text is escaped."""
    highlight = {"encoder": "html", "highlight_query": _match(query), "fields": {field: {} for field in fields}}
    return documents.body(keys, _source=False, highlight=highlight)


def searched_text(query: Bm25Query) -> str:
    """Returns the part of the text that BM25 uses."""
    return beginning(query.text, len(query.fields) + bool(query.passages))


def _match(query: Bm25Query) -> dict[str, Any]:
    return {
        "multi_match": {
            "query": searched_text(query),
            "type": "best_fields",
            "tie_breaker": TIE_BREAKER,
            "fields": [f"{field}^{boost:g}" for field, boost in query.fields.items()],
        }
    }
