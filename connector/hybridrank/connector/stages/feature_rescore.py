"""FeatureRescore: a lambdamart model scores the head of the ranking from features, or the features are only logged."""

from collections.abc import Mapping
from dataclasses import replace

from pydantic import Field

from hybridrank.connector.errors import EngineError, SidecarError
from hybridrank.connector.stages.base import RescoringStage, StageContext, StageResult
from hybridrank.connector.stages.features import FeatureRows, feature_rows
from hybridrank.connector.types import RelevanceScore
from hybridrank.ltr_features import FeatureSet

__all__ = ["FeatureRescore"]


class FeatureRescore(RescoringStage):
    """Feature stage: a lambdamart model of the sidecar scores the head of the ranking from features.

    The engine computes the features of all candidates in one request; `timeout_s` covers that and the scoring together.
    `feature_set` is the one that the model was trained on: the sidecar refuses another. The window should also be that
    of the training. `request` has values that only the caller knows, for features of kind `request`. `with_features`
    adds the values to the hits.

    Without a `model` the stage computes features and keeps the order: for logging the training data of a model.
    """

    feature_set: FeatureSet
    model: str = ""
    weight: float = Field(1.0, gt=0, le=1)
    request: Mapping[str, float] = Field(default_factory=dict)
    with_features: bool = False

    @property
    def name(self) -> str:
        """The name of the model, if any."""
        return self.model or "features"

    @property
    def needs_vector(self) -> bool:
        """True if a feature compares vectors."""
        return any(feature.kind == "vector_similarity" for feature in self.feature_set.features)

    @property
    def needs_retrievers(self) -> bool:
        """True if a feature reads a retriever's rank or score."""
        return any(feature.kind == "retriever" for feature in self.feature_set.features)

    async def run(self, context: StageContext) -> StageResult:
        """Computes the features, and scores them. Raises EngineError, and SidecarMissing for a model."""
        query = replace(context.query, request=self.request)
        rows = await feature_rows(
            context.engine, context.index, self.feature_set, query, context.hits, context.timeout_s
        )
        scores = await self._scores(context, rows)
        return StageResult(scores, rows, self.with_features, weight=self.weight)

    async def _scores(self, context: StageContext, rows: FeatureRows) -> tuple[RelevanceScore | None, ...]:
        """Returns no scores without a model, and on failure: the features are good without them."""
        if not self.model:
            return ()
        try:
            scores = await context.sidecar.rescore_features(
                rows.values,
                feature_set_digest=self.feature_set.digest,
                model=self.model,
                timeout_s=context.left_s,
            )
        except (SidecarError, EngineError) as error:
            context.failed(error)
            return ()
        context.record_unscored(scores)
        return scores
