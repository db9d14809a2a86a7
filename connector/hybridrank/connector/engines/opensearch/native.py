"""Fusion inside OpenSearch: whether its nodes allow it, and the search that asks for it. Pure."""

from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any

from hybridrank.common.versions import major_minor
from hybridrank.connector.fusion import NativeForm

__all__ = ["MAX_QUERIES", "body", "lack", "shares"]

MAX_QUERIES = 5
"""The most queries that the server takes in one `hybrid`."""


def lack(nodes: Mapping[str, Any], form: NativeForm, queries: int) -> str:
    """Returns why OpenSearch cannot compute this fusion, by `_nodes/search_pipelines`; empty if it can."""
    if queries > MAX_QUERIES:
        return f"a hybrid query of OpenSearch holds {MAX_QUERIES} queries, not {queries}"
    return next(filter(None, (_node_lack(node, form) for node in nodes["nodes"].values())), "")


def _node_lack(node: Mapping[str, Any], form: NativeForm) -> str:
    """Checks a node: before 3.5 every shard ranked separately, and documents that only kNN had found were lost."""
    if major_minor(node["version"]) < form.since:
        older = f"OpenSearch {node['version']} ranks every shard by itself"
        return f"{older}; since {'.'.join(map(str, form.since))} ranks are those of the whole index"
    if {"type": "score-ranker-processor"} not in node.get("search_pipelines", {}).get("phase_results_processors", []):
        return f"node {node['name']!r} has no score-ranker-processor, which comes with the plugin neural-search"
    return ""


def body(bodies: Sequence[Mapping[str, Any]], form: NativeForm, rank_window_size: int) -> dict[str, Any]:
    """Returns a `hybrid` query with its own pipeline inline, so that nothing needs to exist on the server.

    Each query contains its filter: a filter around kNN would apply after the nearest documents are chosen.
    `pagination_depth` is the number of candidates of each query on every shard. The server takes weights as fractions
    of 1, and its scores are ours divided by the sum of the weights.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/score-ranker-processor/
    """
    combination: dict[str, Any] = {"technique": form.name, **form.parameters}
    if form.weights:
        combination["parameters"] = {"weights": shares(form.weights)}
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
    """The weights as fractions that sum to 1; floats, for the server refuses an integer.

    >>> shares([1, 3])
    [0.25, 0.75]
    """
    total = fsum(weights)
    return [weight / total for weight in weights]
