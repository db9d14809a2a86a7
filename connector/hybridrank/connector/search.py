"""HybridSearch: the whole path of a request: encode, retrieve, fuse, rescore, page."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import SidecarError, SidecarMissing
from hybridrank.connector.faults import Reason
from hybridrank.connector.paging import arranged, dressed, without_values
from hybridrank.connector.request import SearchRequest
from hybridrank.connector.search_context import SearchContext
from hybridrank.connector.search_context.budget import Budget
from hybridrank.connector.sidecar_client.base import Sidecar
from hybridrank.connector.stages.feature_log import FeatureLog
from hybridrank.connector.stages.rescoring import Stages
from hybridrank.connector.stages.retrieval import FirstStage, FusedBy, excluded, lexical
from hybridrank.connector.types import DocumentKey, Encoding, Hit, SearchResponse

__all__ = ["HybridSearch"]

_ENCODE_SHARE = 0.5  # of the search's time: no answer is possible without the engine, so encoding leaves it half


class HybridSearch:
    """Hybrid retrieval with fusion and reranking. One object serves any number of concurrent searches.

    A part that fails or exceeds its timeout is left out and named in `SearchResponse.degraded`; only an engine without
    any ranking is an error. Without a sidecar, requests must have their own vector and cannot rescore by a model. With
    `fusion` "native" the engine fuses the retrievers itself, if it can do so as requested; hits then have no scores of
    single retrievers. `feature_log` gets the values of every FeatureRescore.
    """

    def __init__(
        self,
        engine: Engine,
        sidecar: Sidecar | None = None,
        *,
        fusion: FusedBy = "client",
        feature_log: FeatureLog | None = None,
    ) -> None:
        self.engine = engine
        self.sidecar = sidecar
        self.fusion: FusedBy = fusion
        self.feature_log = feature_log

    async def search(self, request: SearchRequest) -> SearchResponse:
        """Returns one page of the final ranking.

        Raises EngineError, SearchFailed if every retriever failed, and Misconfigured for a fault in a strict request,
        or if a sidecar is needed and there is none.
        """
        search = SearchContext(Budget(request.timeout_s), request.strict)
        with search.part("encode"):
            encoding = await self._encode(request, search)
        with search.part("retrieve"):
            first = await FirstStage(self.engine, self.fusion).run(request, encoding, search)
        with search.part("rescore"):
            stages = Stages(self.engine, self.sidecar, self.feature_log)
            hits = await self._arranged(request, await stages.run(request, encoding, first.hits, search), search)
        with search.part("page"):
            page = await self._shown(request, hits[request.from_ : request.from_ + request.size], search)
        return SearchResponse(
            hits=page,
            total_candidates=len(hits),
            degraded=tuple(search.left_out.entries),
            timings=search.stopwatch.timings(),
            aggregations=first.aggregations,
            profile=first.profile,
            total=first.total,
        )

    async def _arranged(
        self, request: SearchRequest, ranking: tuple[Hit, ...], search: SearchContext
    ) -> tuple[Hit, ...]:
        asked = {"collapse": [request.collapse] if request.collapse else [], "sort": [*request.sort]}
        if not any(asked.values()):
            return ranking
        fields = await search.optional("sort" if request.sort else "collapse", self.engine.fields_of(request.index))
        if fields is None:
            return ranking
        for part, names in asked.items():
            for reason, sentence in without_values(request.index, fields, ranking, names):
                search.left_out.record(part, reason, sentence)
        return arranged(ranking, request.collapse, request.sort, fields)

    async def _shown(self, request: SearchRequest, page: tuple[Hit, ...], search: SearchContext) -> tuple[Hit, ...]:
        """Fetches sources, unless already read, and highlights for this page only."""
        keys = [hit.key for hit in page]
        asked: dict[str, Awaitable[Mapping[DocumentKey, Any]]] = {}
        if page and not request.reads_sources:
            asked["source"] = self.engine.sources(request.index, keys, excluded(request))
        if page and request.highlight:
            asked["highlight"] = self.engine.highlight(request.index, lexical(request), request.highlight, keys)
        answers = await asyncio.gather(*(search.optional(name, answer) for name, answer in asked.items()))
        found = {name: answer for name, answer in zip(asked, answers, strict=True) if answer is not None}
        if gone := [hit for hit in page if hit.key not in found.get("source", keys)]:
            names = ", ".join(hit.doc_id if hit.index == request.index else str(hit.key) for hit in gone)
            detail = f"{names}: deleted since the ranking, or with their index, or on a shard that has left since"
            search.left_out.record("source", Reason.PARTIAL, detail)
        return dressed(page, found)

    async def _encode(self, request: SearchRequest, search: SearchContext) -> Encoding | None:
        """Returns the query's vector and its model, from the reply; the model of a caller's own vector is unknown."""
        if request.query_vector is not None:
            return Encoding(request.query_vector)
        if not request.needs_vector:
            return None
        if self.sidecar is None:
            needed = "comparing vectors needs a query_vector in the request, or a sidecar that encodes the query"
            raise SidecarMissing("encode", needed)
        timeout_s = search.limit_s("encode", request.encode_timeout_s, share=_ENCODE_SHARE)
        if timeout_s is None:
            return None
        try:
            (encoding,) = await self.sidecar.encode(
                [request.query_text], model=request.encoder, kind="query", timeout_s=timeout_s
            )
        except SidecarError as error:
            search.left_out.failed("encode", error)
            return None
        return encoding
