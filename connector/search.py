"""HybridSearch: the whole path of a request. Encode, retrieve, fuse, rescore, page."""

from connector.engines.base import Engine
from connector.errors import EngineError, IndexMissing, SearchFailed, SidecarError
from connector.fusion import Fused
from connector.request import SearchRequest
from connector.rescore.base import Sidecar
from connector.rescore.feature_log import FeatureLog
from connector.rescore.stages import Stages
from connector.trace import Trace
from connector.types import Bm25Query, Degraded, Hit, KnnQuery, Query, Ranking, SearchResponse, Vector
from index_templates import HEAVY_FIELDS

__all__ = ["HybridSearch"]

_ENCODE_SHARE = 0.5  # of the search's time: no answer is possible without the engine, so the vector leaves it half


class HybridSearch:
    """Hybrid retrieval with fusion and reranking. One object serves any number of concurrent searches.

    A part that fails or overruns its budget is left out and named in `SearchResponse.degraded`; only an engine that
    gives no ranking at all is an error. Without a sidecar, requests bring their own vector and rescore nothing.
    `feature_log` is given what every FeatureRescore computes.
    """

    def __init__(
        self, engine: Engine, sidecar: Sidecar | None = None, *, feature_log: FeatureLog | None = None
    ) -> None:
        self.engine = engine
        self.sidecar = sidecar
        self.feature_log = feature_log

    async def search(self, request: SearchRequest) -> SearchResponse:
        """One page of the final ranking. Raises EngineError, or SearchFailed when every retriever failed."""
        trace = Trace(request.timeout_s)
        vector = await self._encode(request, trace)
        trace.tick()
        fused = await self._retrieve(request, vector, trace)
        trace.tick()
        stages = Stages(self.engine, self.sidecar, self.feature_log)
        hits = await stages.run(request, vector, fused, trace)
        trace.tick()
        page = hits[request.from_ : request.from_ + request.size]
        return SearchResponse(page, len(hits), tuple(trace.degraded), trace.timings())

    async def _encode(self, request: SearchRequest, trace: Trace) -> Vector | None:
        if request.query_vector is not None or not request.needs_vector:
            return request.query_vector
        if self.sidecar is None:
            raise ValueError(
                "comparing vectors needs a query_vector in the request, or a sidecar that encodes the query"
            )
        try:
            timeout_s = trace.budget_s(request.encode_timeout_s, share=_ENCODE_SHARE)
            (encoding,) = await self.sidecar.encode(
                [request.query_text], model=request.encoder, kind="query", timeout_s=timeout_s
            )
        except SidecarError as error:
            trace.lacks("encode", error)
            return None
        return encoding.vector

    async def _retrieve(self, request: SearchRequest, vector: Vector | None, trace: Trace) -> tuple[Hit, ...]:
        outcome = await trace.bound(self.engine.retrieve(request.index, _queries(request, vector)))
        rankings: dict[str, Ranking] = {}
        causes: dict[str, EngineError] = {}
        for retriever, answer in outcome.items():
            if isinstance(answer, EngineError):
                causes[retriever] = answer
                trace.degraded.append(Degraded(retriever, answer.reason, str(answer)))
            else:
                rankings[retriever] = answer.ranking
                if answer.warning:
                    trace.degraded.append(Degraded(retriever, "partial", answer.warning))
        if not rankings:
            missing = (each for each in causes.values() if isinstance(each, IndexMissing))
            raise next(missing, SearchFailed(causes))
        return tuple(_hit(each) for each in request.fusion.fuse(rankings))


def _queries(request: SearchRequest, vector: Vector | None) -> dict[str, Query]:
    """The retrievers' queries. Without a vector the search is lexical, also when only kNN was asked for."""
    window = request.rank_window_size
    excludes = tuple(dict.fromkeys((*HEAVY_FIELDS, request.vector_field)))
    queries: dict[str, Query] = {}
    if "bm25" in request.retrievers or vector is None:
        queries["bm25"] = Bm25Query(request.query_text, request.fields, window, request.filters, excludes)
    if "knn" in request.retrievers and vector is not None:
        queries["knn"] = KnnQuery(vector, request.vector_field, window, 2 * window, request.filters, excludes)
    return queries


def _hit(fused: Fused) -> Hit:
    each = fused.candidate
    return Hit(each.doc_id, each.rank, each.score, each.rank, each.score, fused.retrievers, source=each.source)
