"""Fusion inside Elasticsearch: which of our fusions its version and licence support, or the reason why not. Pure."""

from collections.abc import Sequence

from hybridrank.connector.engines.elasticsearch.licence import licence_lack
from hybridrank.connector.engines.rest.fused import major_minor, weights
from hybridrank.connector.fusion import Fusion, Rrf

__all__ = ["elasticsearch_lack"]

_RRF, _LINEAR, _WEIGHTED_RRF = (8, 16), (8, 18), (9, 2)


def elasticsearch_lack(version: str, licence: str, fusion: Fusion, retrievers: Sequence[str]) -> str:
    """Returns why Elasticsearch cannot compute this fusion; empty if it can. `licence` is the active type, if any."""
    method, since = ("rrf", _RRF) if isinstance(fusion, Rrf) else ("linear", _LINEAR)
    if method == "rrf" and any(weight != 1 for weight in weights(fusion, retrievers)):
        method, since = "rrf with weights", _WEIGHTED_RRF
    if major_minor(version) < since:
        return f"Elasticsearch {version} has no retriever {method}; {'.'.join(map(str, since))} and later have"
    return licence_lack(f"the retriever {method}", licence)
