"""Weighted sum of normalised scores."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hybridrank.connector.fusion.base import Fused, merge
from hybridrank.connector.types import Ranking

__all__ = ["WeightedSum", "min_max"]


class WeightedSum(BaseModel):
    """The sum over retrievers of weight · min_max(score); a retriever without the document adds nothing.

    Scores are scaled to [0, 1] inside each ranking (Bruch, Gai & Ingber, TOIS 2023, call it convex combination). A
    retriever without an entry in `weights` has weight 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["weighted_sum"] = "weighted_sum"
    weights: Mapping[str, Annotated[float, Field(ge=0)]] = {}

    def fuse(self, rankings: Mapping[str, Ranking]) -> tuple[Fused, ...]:
        """Fuses by normalised score."""
        shares = {
            retriever: [self.weights.get(retriever, 1.0) * share for share in min_max(ranking)]
            for retriever, ranking in rankings.items()
        }
        return merge(rankings, shares)


def min_max(ranking: Ranking) -> list[float]:
    """Returns (score − lowest) / (highest − lowest) of each candidate, in order; all 1 if every score is the same.

    Negative scores work too: the bounds come from the scores themselves, not from 0.
    """
    if not ranking:
        return []
    lowest = min(candidate.score for candidate in ranking)
    spread = max(candidate.score for candidate in ranking) - lowest
    return [(each.score - lowest) / spread if spread else 1.0 for each in ranking]
