"""Fusion inside Elasticsearch: whether its version and licence allow it, and the search that asks for it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from hybridrank.common.versions import major_minor
from hybridrank.connector.engines.elasticsearch import retrievers
from hybridrank.connector.engines.elasticsearch.licence import licence_lack
from hybridrank.connector.fusion import NativeForm

__all__ = ["body", "lack"]


def lack(version: str, licence: str, form: NativeForm) -> str:
    """Returns why Elasticsearch cannot compute this fusion; empty if it can. `licence` is the active type, if any."""
    name = f"{form.name} with weights" if form.weights and not form.per_retriever else form.name
    if major_minor(version) < form.since:
        return f"Elasticsearch {version} has no retriever {name}; {'.'.join(map(str, form.since))} and later have"
    return licence_lack(f"the retriever {name}", licence)


def body(bodies: Sequence[Mapping[str, Any]], form: NativeForm, rank_window_size: int) -> dict[str, Any]:
    """Returns one search whose hits are the fused ranking."""
    held = [retrievers.standard(body["query"]) for body in bodies]
    fused = retrievers.fused(held, form, rank_window_size=rank_window_size)
    return {
        **retrievers.body(fused, size=rank_window_size, source=bodies[0]["_source"]),
        **({"profile": True} if "profile" in bodies[0] else {}),
    }
