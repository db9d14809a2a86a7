"""Last parts of a search: the ranking collapsed and sorted, and the sources and highlights of its page."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

from hybridrank.connector.arrangement import arranged, with_page_fields, without_values
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.faults import Reason
from hybridrank.connector.request import SearchRequest
from hybridrank.connector.retrieval import excluded, lexical
from hybridrank.connector.search_context import SearchContext
from hybridrank.connector.types import DocumentKey, Hit

__all__ = ["arrange", "read_page"]


async def arrange(
    engine: Engine, request: SearchRequest, ranking: tuple[Hit, ...], search: SearchContext
) -> tuple[Hit, ...]:
    """Collapses and sorts the ranking as requested; unchanged if the fields of the index cannot be read."""
    named = {"collapse": [request.collapse] if request.collapse else [], "sort": [*request.sort]}
    if not any(named.values()):
        return ranking
    fields = await search.optional("sort" if request.sort else "collapse", engine.fields_of(request.index))
    if fields is None:
        return ranking
    for part, names in named.items():
        for reason, sentence in without_values(request.index, fields, ranking, names):
            search.left_out.record(part, reason, sentence)
    return arranged(ranking, request.collapse, request.sort, fields)


async def read_page(
    engine: Engine, request: SearchRequest, page: tuple[Hit, ...], search: SearchContext
) -> tuple[Hit, ...]:
    """Fetches sources, unless already read, and highlights for this page only."""
    keys = [hit.key for hit in page]
    requested: dict[str, Awaitable[Mapping[DocumentKey, Any]]] = {}
    if page and not request.reads_sources:
        requested["source"] = engine.sources(request.index, keys, excluded(request))
    if page and request.highlight:
        requested["highlight"] = engine.highlight(request.index, lexical(request), request.highlight, keys)
    answers = await asyncio.gather(*(search.optional(name, answer) for name, answer in requested.items()))
    parts = {name: answer for name, answer in zip(requested, answers, strict=True) if answer is not None}
    if gone := [hit for hit in page if hit.key not in parts.get("source", keys)]:
        names = ", ".join(hit.doc_id if hit.index == request.index else str(hit.key) for hit in gone)
        detail = f"{names}: deleted since the ranking, or with their index, or on a shard that has left since"
        search.left_out.record("source", Reason.PARTIAL, detail)
    return with_page_fields(page, parts)
