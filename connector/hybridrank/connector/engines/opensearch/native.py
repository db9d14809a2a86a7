"""Fusion inside OpenSearch: which of our fusions its nodes support, or the reason why not. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from hybridrank.connector.engines.opensearch import hybrid
from hybridrank.connector.engines.rest.fused import major_minor, weights
from hybridrank.connector.fusion import Fusion, Rrf

__all__ = ["opensearch_lack"]

_ACROSS_SHARDS = (3, 5)  # https://github.com/opensearch-project/neural-search/pull/1718
_MOST_CONSTANT = 10_000


def opensearch_lack(nodes: Mapping[str, Any], fusion: Fusion, retrievers: Sequence[str]) -> str:
    """Returns the reason why OpenSearch cannot compute this fusion, by `_nodes/search_pipelines`; empty if it can.

    Its min-max fusion differs from ours (the lowest score becomes 0.001, the sum a mean), so only Rrf can be native.
    """
    if not isinstance(fusion, Rrf):
        return "OpenSearch scales scores in another way than WeightedSum; Rrf is what it has in common with us"
    if fusion.rank_constant > _MOST_CONSTANT:
        return f"OpenSearch takes a rank_constant of at most {_MOST_CONSTANT}, not {fusion.rank_constant}"
    if len(retrievers) > hybrid.MAX_QUERIES:
        return f"a hybrid query of OpenSearch holds {hybrid.MAX_QUERIES} queries, not {len(retrievers)}"
    if not any(weights(fusion, retrievers)):
        return "OpenSearch wants weights that sum to 1, and these are all 0"
    return next(filter(None, map(_node_lack, nodes["nodes"].values())), "")


def _node_lack(node: Mapping[str, Any]) -> str:
    """Checks a node: before 3.5 every shard ranked separately, and documents that only kNN had found were lost."""
    if major_minor(node["version"]) < _ACROSS_SHARDS:
        return f"OpenSearch {node['version']} ranks every shard by itself; since 3.5 ranks are those of the whole index"
    if {"type": "score-ranker-processor"} not in node.get("search_pipelines", {}).get("phase_results_processors", []):
        return f"node {node['name']!r} has no score-ranker-processor, which comes with the plugin neural-search"
    return ""
