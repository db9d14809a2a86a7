"""QueryRescore: the engine scores the head of the ranking by one more query."""

import math
from typing import Annotated

from pydantic import Field

from hybridrank.connector.errors import EngineError
from hybridrank.connector.stages.base import RescoringStage, StageContext, StageResult
from hybridrank.connector.stages.features import feature_rows
from hybridrank.connector.types import RelevanceScore
from hybridrank.ltr_features import FeatureSet
from hybridrank.ltr_features.text import Bm25, Phrase, Proximity

__all__ = ["QueryRescore"]


class QueryRescore(RescoringStage):
    """Engine stage: one more query of the text scores the head of the ranking. No sidecar needed.

    `by` is a feature that is a query: the text as a `phrase`, its words near each other (`proximity`), or `bm25` of
    other fields. A document without a match scores 0. It is one request, for the window alone, on any licence; so a
    query that would be too expensive for the whole index runs on few documents. `hit.rerank_scores` has it by the
    feature's name.
    """

    by: Annotated[Bm25 | Phrase | Proximity, Field(discriminator="kind")]
    weight: float = Field(0.2, gt=0, le=1)

    @property
    def model(self) -> str:
        """The name of the scores."""
        return self.by.name

    @property
    def name(self) -> str:
        """The name of the feature."""
        return self.by.name

    async def run(self, context: StageContext) -> StageResult:
        """Scores by the query. Raises EngineError."""
        feature_set = FeatureSet(name=self.model, features=(self.by,))
        rows = await feature_rows(
            context.engine, context.index, feature_set, context.query, context.hits, context.timeout_s
        )
        scores = [0.0 if math.isnan(score) else score for (score,) in rows.values]
        if not all(map(math.isfinite, scores)):
            raise EngineError(f"index {context.index!r}: the engine's answer has infinite scores", reason="bad_answer")
        return StageResult(tuple(map(RelevanceScore, scores)), weight=self.weight)
