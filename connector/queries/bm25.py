"""Query text → BM25 query body, the same for OpenSearch and Elasticsearch."""

from typing import Any

from connector.queries.filters import clauses
from connector.types import Bm25Query

__all__ = ["TIE_BREAKER", "body"]

TIE_BREAKER = 0.2
"""How much the weaker fields add to the best one. Chosen on scifact train and dev, nDCG@10: 0.0 .678, 0.1 .690,
0.2 .695, 0.3 .695, 0.5 .691, 1.0 (fields added up) .672."""


def body(query: Bm25Query) -> dict[str, Any]:
    """A `multi_match` of the text over the boosted fields, filtered without touching the score.

    `operator: or` lets WAND skip what cannot reach the window; hits are not counted, for counting would undo that.
    """
    match_text = {
        "multi_match": {
            "query": query.text,
            "type": "best_fields",
            "tie_breaker": TIE_BREAKER,
            "fields": [f"{field}^{boost:g}" for field, boost in query.fields.items()],
        }
    }
    return {
        "query": {"bool": {"must": [match_text], "filter": clauses(query.filters)}} if query.filters else match_text,
        "size": query.rank_window_size,
        "track_total_hits": False,
        "_source": {"excludes": list(query.source_excludes)},
    }
