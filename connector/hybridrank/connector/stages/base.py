"""Base of the stages: a stage scores the candidates of its window, and says what it needs for that."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from pydantic import Field

from hybridrank.connector.engines.base import Engine
from hybridrank.connector.errors import EngineError, SidecarError, SidecarMissing
from hybridrank.connector.faults import Reason
from hybridrank.connector.search_context import SearchContext
from hybridrank.connector.sendable import Sendable
from hybridrank.connector.sidecar_client.base import Sidecar
from hybridrank.connector.stages.features import FeatureRows
from hybridrank.connector.types import Hit, RelevanceScore
from hybridrank.ltr_features import FeatureQuery

__all__ = ["RescoringStage", "StageContext", "StageResult"]

_LEAST_S = 0.001  # if no time is left: the sidecar or the engine then reports that


@dataclass(frozen=True, slots=True)
class StageContext:
    """Resources of a stage: its window, the query, the engine, and the sidecar.

    `hits` is the head of the ranking, all scored by the previous stage. `fields` are the searched fields of the
    request, name → boost. The stage has `timeout_s` until `ends_at`. `part` is its name in `degraded`.
    """

    part: str
    name: str
    hits: tuple[Hit, ...]
    index: str
    fields: Mapping[str, float]
    query: FeatureQuery
    engine: Engine
    search: SearchContext
    timeout_s: float
    ends_at: float
    connected_sidecar: Sidecar | None

    @property
    def sidecar(self) -> Sidecar:
        """The sidecar. Raises SidecarMissing if there is none."""
        if self.connected_sidecar is None:
            raise SidecarMissing("rescore", f"rescore by {self.name!r} needs a sidecar")
        return self.connected_sidecar

    @property
    def left_s(self) -> float:
        """Remaining seconds of the stage, always positive."""
        return max(self.ends_at - perf_counter(), _LEAST_S)

    def record(self, reason: Reason, detail: str) -> None:
        """Records a fault with which the stage continues."""
        self.search.left_out.record(self.part, reason, detail)

    def failed(self, error: SidecarError | EngineError, *, reason: Reason | None = None, instead: str = "") -> None:
        """Records an error with which the stage continues, as `LeftOut.failed`."""
        self.search.left_out.failed(self.part, error, reason=reason, instead=instead)

    def record_unscored(self, scores: Sequence[RelevanceScore | None]) -> None:
        """Records candidates for whose scores the time was too short."""
        scored = sum(each is not None for each in scores)
        if scored < len(scores):
            self.record(Reason.PARTIAL, f"{scored} of {len(scores)} scored in time")


@dataclass(frozen=True, slots=True)
class StageResult:
    """One score for each hit of the window; hits without a score come below the others. Without scores the order stays.

    `weight` is their share in the blend. The feature log gets `features`; hits have them with `with_features`.
    """

    scores: Sequence[RelevanceScore | None] = ()
    features: FeatureRows | None = None
    with_features: bool = False
    weight: float = 1.0


class RescoringStage(Sendable):
    """A stage of a search: parameters, as in a request, and `run`.

    Its scores are blended by the `weight` of its result: the final score is weight · z(rerank) + (1 − weight) · z(score
    before) over the window, so 1 is the rerank score alone. `timeout_s` is the additional time of the stage after
    retrieval.
    """

    rescore_window_size: int = Field(50, ge=1, le=10_000)
    timeout_s: float = Field(0.3, gt=0)

    @property
    def name(self) -> str:
        """Name of the scores in `hit.rerank_scores`, and of the stage among several in `degraded`."""
        return type(self).__name__.lower()

    @property
    def needs_vector(self) -> bool:
        """True if the query must be encoded for this stage."""
        return False

    @property
    def needs_sources(self) -> bool:
        """True if all candidates must have their `source`; otherwise only the hits of the page are sure to have it."""
        return True

    @property
    def needs_retrievers(self) -> bool:
        """True if the stage reads `hit.retrievers`, which fusion in the engine does not report."""
        return False

    @abstractmethod
    async def run(self, context: StageContext) -> StageResult:
        """Scores `context.hits`. An EngineError or SidecarError leaves the stage out, and the search continues."""
