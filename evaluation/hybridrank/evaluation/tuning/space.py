"""Search space of tuning: every number of a search that changes its ranking, each with its range and step.

Steps are as coarse as distinguishable differences; and two searches with the same boosts share a retrieval.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hybridrank.connector import Rescore
from hybridrank.connector.admin.similarity import Bm25Settings
from hybridrank.connector.fusion import FUSIONS, Chooser, FusionMethod, Rrf
from hybridrank.connector.request import RetrieverName
from hybridrank.connector.types import DEFAULT_CHUNKS
from hybridrank.evaluation.experiments.configuration import Configuration

__all__ = ["Space"]

_NONE = "none"


@dataclass(frozen=True, slots=True)
class Space:
    """Configurations to choose from.

    - `fields`: the boost of each except the last, 0 (left out) to 8 in quarters; the last has boost 1, because only the
      ratio of boosts changes an order. With fewer than two, the index's own fields and boosts stay.
    - knn_share: kNN's weight in fusion, 0 (BM25 alone) to 1 (kNN alone) in twentieths; BM25 has the rest.
    - fusion: one of those that there are, with the parameters that it chooses itself (`FusionMethod.tuned`).
    - with `bm25`, for a server: k1 from 0.4 to 2 in tenths and b from 0 to 1 in twentieths.
    - rank_window_size: 50 to 200 candidates per retriever, in steps of 50.
    - model: one of `models`, or none; its weight, 0.1 to 1 in twentieths; its window, 10 to `max_window`, in steps of
      10. It reads each text in up to `max_chunks` windows.
    """

    fields: tuple[str, ...]
    models: tuple[str, ...]
    max_window: int = 50
    bm25: bool = False
    max_chunks: int = DEFAULT_CHUNKS

    def choose(self, trial: Chooser) -> Configuration:
        """Chooses one of them. Parameters without effect under the other choices are not asked for."""
        knn_share = round(trial.suggest_float("knn_share", 0, 1, step=0.05), 2)
        retrievers: tuple[RetrieverName, ...] = ("bm25", "knn")
        if knn_share in (0, 1):
            retrievers = ("knn",) if knn_share else ("bm25",)
        return Configuration(
            retrievers=retrievers,
            fields=self._boosts(trial) if knn_share < 1 else {},
            fusion=self._fusion(trial, knn_share) if len(retrievers) > 1 else Rrf(),
            rank_window_size=trial.suggest_int("rank_window_size", 50, 200, step=50),
            rescore=self._stage(trial),
            bm25=self._numbers(trial) if knn_share < 1 else None,
        )

    def near(self, default: Configuration) -> dict[str, Any]:
        """Returns the choices nearest to a configuration with a weight, as the start of the search."""
        stage = default.rescore
        share = default.retrievers.count("knn") / len(default.retrievers)
        model = {"model": stage.model if stage else _NONE} if self.models else {}
        return {
            "knn_share": share,
            **{f"boost:{each}": 1.0 for each in self.fields[:-1] if share < 1},
            **({"k1": 1.2, "b": 0.75} if self.bm25 and share < 1 else {}),
            **({"fusion": default.fusion.kind} | default.fusion.choices() if 0 < share < 1 else {}),
            "rank_window_size": default.rank_window_size,
            **model,
            **(
                {"rescore_window_size": min(stage.rescore_window_size, self._largest), "weight": stage.weight}
                if stage
                else {}
            ),
        }

    def as_json(self) -> dict[str, Any]:
        """Returns the space as stored with a study: a study of another space cannot continue with it."""
        return asdict(self)

    @property
    def _largest(self) -> int:
        return max(10, self.max_window - self.max_window % 10)

    def _boosts(self, trial: Chooser) -> Mapping[str, float]:
        *others, last = self.fields or ("",)
        boosts = {each: trial.suggest_float(f"boost:{each}", 0, 8, step=0.25) for each in others}
        return {name: boost for name, boost in (boosts | {last: 1.0}).items() if boost} if others else {}

    @staticmethod
    def _fusion(trial: Chooser, knn_share: float) -> FusionMethod:
        weights = {"bm25": round(1 - knn_share, 2), "knn": knn_share}
        return FUSIONS[trial.suggest_categorical("fusion", tuple(FUSIONS))].tuned(trial, weights)

    def _numbers(self, trial: Chooser) -> Bm25Settings | None:
        if not self.bm25:
            return None
        k1, b = trial.suggest_float("k1", 0.4, 2, step=0.1), trial.suggest_float("b", 0, 1, step=0.05)
        return Bm25Settings(k1=round(k1, 1), b=round(b, 2))

    def _stage(self, trial: Chooser) -> Rescore | None:
        model = trial.suggest_categorical("model", (_NONE, *self.models)) if self.models else _NONE
        if model == _NONE:
            return None
        window = trial.suggest_int("rescore_window_size", 10, self._largest, step=10)
        weight = round(trial.suggest_float("weight", 0.1, 1, step=0.05), 2)
        return Rescore(model=model, rescore_window_size=window, weight=weight, max_chunks=self.max_chunks)
