"""First stage of a search: one ranking per retriever, in one round trip, fused here or by the engine."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import EngineError, EngineTimeout, EngineUnreachable, IndexMissing, SearchFailed
from hybridrank.connector.faults import Reason
from hybridrank.connector.fusion import Fused
from hybridrank.connector.queries.retrievers import RETRIEVERS, Bm25Query, Query
from hybridrank.connector.queries.retrievers.base import excluded
from hybridrank.connector.request import SearchRequest
from hybridrank.connector.search_context import SearchContext
from hybridrank.connector.total_hits import TotalHits
from hybridrank.connector.types import Encoding, Hit, Retrieved

__all__ = ["FirstRanking", "FirstStage", "FusedBy", "excluded", "lexical", "queries_of"]

FusedBy: TypeAlias = Literal["client", "native"]


@dataclass(frozen=True, slots=True)
class FirstRanking:
    """Fused hits, and the rest of the engine's answer, as in SearchResponse."""

    hits: tuple[Hit, ...]
    profile: Mapping[str, Any] = field(default_factory=dict)
    total: TotalHits | None = None
    aggregations: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FirstStage:
    """Retrieval and fusion. If the engine cannot fuse ("native"), this does ("client"), and says so in `degraded`."""

    engine: Engine
    fusion: FusedBy

    async def run(
        self,
        request: SearchRequest,
        encoding: Encoding | None,
        search: SearchContext,
        sparse: Encoding | None = None,
    ) -> FirstRanking:
        """Returns the fused ranking, with the aggregations, which are requested at the same time.

        Raises EngineError, or SearchFailed if every retriever failed.
        """
        ranked = self._ranked(request, queries_of(request, encoding, sparse), search)
        ranking, aggregations = await asyncio.gather(ranked, self._aggregated(request, search))
        return FirstRanking(ranking.hits, ranking.profile, ranking.total, aggregations)

    async def _aggregated(self, request: SearchRequest, search: SearchContext) -> Mapping[str, Any]:
        """Aggregates over the matches of BM25, with any retrievers: kNN only returns the nearest, not matches."""
        if not request.aggregations:
            return {}
        query = replace(lexical(request), rank_window_size=0, aggregations=request.aggregations)
        try:
            answers = await search.budget.bound(self.engine.retrieve(request.index, {"aggregations": query}))
            answer = answers["aggregations"]
            if isinstance(answer, EngineError):
                raise answer
        except EngineError as error:
            search.left_out.failed("aggregations", error)
            return {}
        if answer.warning:
            search.left_out.record("aggregations", Reason.PARTIAL, answer.warning)
        return answer.aggregations

    async def _ranked(self, request: SearchRequest, queries: dict[str, Query], search: SearchContext) -> FirstRanking:
        if self.fusion == "client" or len(queries) == 1:
            return await self._fused_here(request, queries, search)
        try:
            if readers := [stage.name for stage in request.stages if stage.needs_retrievers]:
                sentence = f"{', '.join(readers)}: reads single retrievers, which fusion in the engine does not report"
                raise EngineError(sentence, reason="not_native")
            return await self._fused_there(request, queries, search)
        except (EngineUnreachable, EngineTimeout, IndexMissing):
            raise  # another request would fail too
        except EngineError as error:
            search.left_out.failed("fusion", error, instead="fused by the client")
            return await self._fused_here(request, queries, search)

    async def _fused_there(
        self, request: SearchRequest, queries: dict[str, Query], search: SearchContext
    ) -> FirstRanking:
        answer = await search.budget.bound(self.engine.retrieve_fused(request.index, queries, request.fusion))
        if answer.warning:
            search.left_out.record("fusion", Reason.PARTIAL, answer.warning)
        profile = {"fusion": answer.profile} if answer.profile else {}
        return FirstRanking(tuple(_hit(Fused(each, {})) for each in answer.ranking), profile)

    async def _fused_here(
        self, request: SearchRequest, queries: dict[str, Query], search: SearchContext
    ) -> FirstRanking:
        outcome = await search.budget.bound(self.engine.retrieve(request.index, queries))
        answers: dict[str, Retrieved] = {}
        causes: dict[str, EngineError] = {}
        for retriever, answer in outcome.items():
            if isinstance(answer, EngineError):
                causes[retriever] = answer
                search.left_out.failed(retriever, answer)
            else:
                answers[retriever] = answer
                if answer.warning:
                    search.left_out.record(retriever, Reason.PARTIAL, answer.warning)
        if not answers:
            missing = (each for each in causes.values() if isinstance(each, IndexMissing))
            raise next(missing, SearchFailed(causes))
        hits = request.fusion.fuse({retriever: answer.ranking for retriever, answer in answers.items()})
        profile = {retriever: answer.profile for retriever, answer in answers.items() if answer.profile}
        total = next((answer.total for answer in answers.values() if answer.total), None)
        return FirstRanking(tuple(map(_hit, hits)), profile, total)


def lexical(request: SearchRequest) -> Bm25Query:
    """Returns the BM25 query of the request."""
    return Bm25Query(
        request.query_text,
        request.fields,
        rank_window_size=request.rank_window_size,
        filters=request.filters,
        source_excludes=excluded(request),
    )


def queries_of(request: SearchRequest, encoding: Encoding | None, sparse: Encoding | None = None) -> dict[str, Query]:
    """Returns the retrievers' queries, without those whose vector is None; if none is left, the search is lexical."""
    read = {name: sparse if RETRIEVERS[name].needs_sparse else encoding for name in RETRIEVERS}
    possible = {
        name
        for name in request.retrievers
        if read[name] is not None or not (RETRIEVERS[name].needs_vector or RETRIEVERS[name].needs_sparse)
    }
    wanted = possible or {Bm25Query.name}
    return {name: retriever.of(request, read[name]) for name, retriever in RETRIEVERS.items() if name in wanted}


def _hit(fused: Fused) -> Hit:
    each = fused.candidate
    return Hit(
        each.doc_id,
        each.rank,
        each.score,
        each.rank,
        each.score,
        fused.retrievers,
        source=each.source,
        passage=each.passage,
        final_score=each.score,
        index=each.index,
    )
