"""The service behind every protocol: finds the model, computes missing rows, sorts, trims."""

from hybridrank.common.model_info import ModelInfo
from hybridrank.sidecar.batching.worker import BatchTotals, Worker
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.scoring.computer import Computer
from hybridrank.sidecar.scoring.places import Places
from hybridrank.sidecar.scoring.ranking import ranked
from hybridrank.sidecar.scoring.row_cache import RowCache
from hybridrank.sidecar.scoring.sparse_encoding import encode_sparse
from hybridrank.sidecar.scoring.text_job import encode_work
from hybridrank.sidecar.scoring.token_encoding import encode_tokens
from hybridrank.sidecar.scoring.tools import ScoringTools
from hybridrank.sidecar.types import Embedding, EncodeRequest, EncodeResult, RerankRequest, RerankResult, ScoreType


class RerankService:
    """Scores passages, by text or features, and encodes texts with the loaded models."""

    def __init__(self, models: Models, worker: Worker, *, max_batch_tokens: int, score_cache_bytes: int = 0) -> None:
        self.models = models
        self.worker = worker
        self.cache = RowCache(score_cache_bytes)
        computer = Computer(worker, self.cache, max_batch_tokens=max_batch_tokens)
        self._places = Places(ScoringTools(computer, worker), self.cache, max_queue_tokens=worker.max_queue_tokens)

    @property
    def queued_tokens(self) -> int:
        """Admitted tokens whose computation has not begun."""
        return self.worker.admissions.queued_tokens

    @property
    def batch_totals(self) -> BatchTotals:
        """Totals of the batches since the start."""
        return self.worker.totals

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """Scores every passage; returns the first `top_k`, best first, ties in the order of the request.

        With `best_effort`, passages without a score shortly before the deadline are missing.
        """
        model = self.models.get(request.model)
        if request.score_type is ScoreType.CALIBRATED and model.calibration is None:
            raise InvalidArgument("options.score_type", _no_calibration(model.info))
        scores, timings, tokens = await model.reranker.scores(request, self._places.tools(model))
        complete = len(scores) == len(request.passages)
        best_first, chunks = ranked(request, scores, model.calibration), sum(each.scored_chunks for each in scores)
        return RerankResult(best_first, model.info, timings, complete, tokens, chunks)

    async def encode(self, request: EncodeRequest) -> EncodeResult:
        """Returns one unit vector per text, packed ones of its tokens, or a sparse one, in the order of the request."""
        model = self.models.get(request.model)
        computer = self._places.tools(model).computer
        if model.sparse_encoder:
            return await encode_sparse(request, model.sparse_encoder, computer)
        if request.token_vectors:
            return await encode_tokens(request, model, computer)
        work = encode_work(request, self.models.encoder(request.model))
        rows, timings = await computer.rows(work)
        embeddings = [Embedding(tuple(rows[key].values.tolist()), rows[key].truncated) for key in work.keys]
        return EncodeResult(tuple(embeddings), work.model, timings, sum(rows[key].tokens for key in work.keys))

    async def close(self) -> None:
        """Closes the connections to models that are served elsewhere."""
        await self._places.close()


def _no_calibration(info: ModelInfo) -> str:
    return (
        f"is calibrated, but {info.name}:{info.version} has no calibration at {info.precision}; ask for raw or sigmoid "
        "scores, or make one with `hybridrank model calibrate` and load the model again"
    )
