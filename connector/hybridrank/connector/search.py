"""HybridSearch: the whole path of a request: encode, retrieve, fuse, rescore, page."""

from hybridrank.connector.cascade import Cascade
from hybridrank.connector.encoding import encode_query
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.paging import arrange, read_page
from hybridrank.connector.request import SearchRequest
from hybridrank.connector.retrieval import FirstStage, FusedBy
from hybridrank.connector.search_context import SearchContext
from hybridrank.connector.search_context.budget import Budget
from hybridrank.connector.sidecar_client.base import Sidecar
from hybridrank.connector.stages.feature_log import FeatureLog
from hybridrank.connector.types import SearchResponse

__all__ = ["HybridSearch"]


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
            encoding, sparse = await encode_query(self.sidecar, request, search)
        with search.part("retrieve"):
            first = await FirstStage(self.engine, self.fusion).run(request, encoding, search, sparse)
        with search.part("rescore"):
            cascade = Cascade(self.engine, self.sidecar, self.feature_log)
            rescored = await cascade.run(request, encoding, first.hits, search)
            ranking = await arrange(self.engine, request, rescored, search)
        with search.part("page"):
            page = ranking[request.from_ : request.from_ + request.size]
            hits = await read_page(self.engine, request, page, search)
        return SearchResponse(
            hits=hits,
            total_candidates=len(ranking),
            degraded=tuple(search.left_out.entries),
            timings=search.stopwatch.timings(),
            aggregations=first.aggregations,
            profile=first.profile,
            total=first.total,
        )
