"""Builds one OpenSearch search that fuses several retrievers' bodies by reciprocal rank."""

from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any

__all__ = ["MAX_QUERIES", "rrf", "shares"]

MAX_QUERIES = 5
"""Maximum of queries that the server accepts in one `hybrid`."""


def rrf(
    bodies: Sequence[Mapping[str, Any]], *, rank_constant: int, weights: Sequence[float], rank_window_size: int
) -> dict[str, Any]:
    """Builds a `hybrid` query with an inline pipeline, so that nothing must be created on the server.

    Each query keeps its own filter, because a filter around kNN would be applied after the nearest were chosen.
    `pagination_depth` is the ranking depth of each query on every shard. Without weights each query has weight 1; with
    weights the server requires fractions, and returns scores that are smaller by the sum of the weights.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/score-ranker-processor/
    """
    combination: dict[str, Any] = {"technique": "rrf", "rank_constant": rank_constant}
    if any(weight != 1 for weight in weights):
        combination["parameters"] = {"weights": shares(weights)}
    return {
        "query": {
            "hybrid": {"queries": [body["query"] for body in bodies], "pagination_depth": rank_window_size},
        },
        "search_pipeline": {"phase_results_processors": [{"score-ranker-processor": {"combination": combination}}]},
        "size": rank_window_size,
        "track_total_hits": False,
        "_source": bodies[0]["_source"],
        **({"profile": True} if "profile" in bodies[0] else {}),
    }


def shares(weights: Sequence[float]) -> list[float]:
    """Returns the weights as fractions that sum to 1; floats, because the server refuses an integer.

    >>> shares([1, 3])
    [0.25, 0.75]
    """
    total = fsum(weights)
    return [weight / total for weight in weights]
