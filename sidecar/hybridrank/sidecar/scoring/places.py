"""The place where each model is computed: the threads of this machine for all, and one of its own for each remote."""

from weakref import WeakKeyDictionary

from hybridrank.sidecar.batching.executor import Coroutines
from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.remote.model import RemoteModel
from hybridrank.sidecar.rerankers.kind import LoadedModel
from hybridrank.sidecar.scoring.computer import Computer
from hybridrank.sidecar.scoring.row_cache import RowCache
from hybridrank.sidecar.scoring.tools import ScoringTools

__all__ = ["Places"]


class Places:
    """Ways to compute scores by model. All share one cache; a slow remote delays neither local models nor others."""

    def __init__(self, here: ScoringTools, cache: RowCache, *, max_queue_tokens: int) -> None:
        self._here = here
        self._cache = cache
        self._max_queue_tokens = max_queue_tokens
        self._elsewhere: WeakKeyDictionary[RemoteModel, ScoringTools] = WeakKeyDictionary()

    def tools(self, model: LoadedModel) -> ScoringTools:
        """Returns the ways for this model."""
        if model.remote is None:
            return self._here
        if model.remote not in self._elsewhere:
            self._elsewhere[model.remote] = self._new(model.remote)
        return self._elsewhere[model.remote]

    async def close(self) -> None:
        """Closes the connections to remotes."""
        for remote in list(self._elsewhere):
            await remote.client.close()

    def _new(self, remote: RemoteModel) -> ScoringTools:
        worker = Worker(
            threads=remote.concurrency, max_queue_tokens=self._max_queue_tokens, executor=Coroutines(remote.compute)
        )
        computer = Computer(worker, self._cache, max_batch_tokens=remote.max_batch_tokens, max_texts=remote.max_batch)
        return ScoringTools(computer, worker)
