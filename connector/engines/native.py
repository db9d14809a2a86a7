"""Fusion inside the engine: which servers and licences have one that is ours, and how its answer is read. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connector.engines import msearch
from connector.engines.licence import licence_lack
from connector.errors import EngineError
from connector.fusion import Fusion, Rrf
from connector.queries import hybrid
from connector.types import Retrieved

__all__ = ["elasticsearch_lack", "opensearch_lack", "ranked", "weights"]

_ACROSS_SHARDS = (3, 5)  # https://github.com/opensearch-project/neural-search/pull/1718
_MOST_CONSTANT = 10_000
_RRF, _LINEAR, _WEIGHTED_RRF = (8, 16), (8, 18), (9, 2)


def weights(fusion: Fusion, retrievers: Sequence[str]) -> list[float]:
    """The weight of each retriever, in order."""
    return [fusion.weights.get(retriever, 1.0) for retriever in retrievers]


def opensearch_lack(nodes: Mapping[str, Any], fusion: Fusion, retrievers: Sequence[str]) -> str:
    """Why OpenSearch cannot fuse so, given what `_nodes/search_pipelines` answers; empty when it can.

    Its min-max fusion differs from ours (the lowest score becomes 0.001, the sum a mean), so only Rrf is native there.
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
    """Before 3.5 every shard had ranks of its own, and documents that only kNN had found were lost."""
    if _number(node["version"]) < _ACROSS_SHARDS:
        return f"OpenSearch {node['version']} ranks every shard by itself; since 3.5 ranks are those of the whole index"
    if {"type": "score-ranker-processor"} not in node.get("search_pipelines", {}).get("phase_results_processors", []):
        return f"node {node['name']!r} has no score-ranker-processor, which comes with the plugin neural-search"
    return ""


def elasticsearch_lack(version: str, licence: str, fusion: Fusion, retrievers: Sequence[str]) -> str:
    """Why Elasticsearch cannot fuse so; empty when it can. `licence` is the type of the one that is active, if any."""
    method, since = ("rrf", _RRF) if isinstance(fusion, Rrf) else ("linear", _LINEAR)
    if method == "rrf" and any(weight != 1 for weight in weights(fusion, retrievers)):
        method, since = "rrf with weights", _WEIGHTED_RRF
    if _number(version) < since:
        return f"Elasticsearch {version} has no retriever {method}; {'.'.join(map(str, since))} and later have"
    return licence_lack(f"the retriever {method}", licence)


def ranked(index: str, answer: Mapping[str, Any], *, scale: float, lacking: str = "") -> Retrieved:
    """The fused ranking; `scale` turns its scores into ours.

    Raises EngineError when nothing fused it: the hits of a hybrid query are then its queries' own, one after the other,
    with markers of negative scores between them.
    """
    hits = answer["hits"]["hits"]
    keys = {(hit["_index"], hit["_id"]) for hit in hits}
    if len(keys) < len(hits) or any(hit["_score"] < 0 for hit in hits):
        raise EngineError(
            f"index {index!r}: the hits are not fused: markers or documents that stand twice", reason="not_fused"
        )
    found = msearch.retrieved(index, answer, lacking)
    if isinstance(found, EngineError):
        raise found
    return replace(found, ranking=tuple(replace(each, score=scale * each.score) for each in found.ranking))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
