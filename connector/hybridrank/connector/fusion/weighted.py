"""Weighted sum of normalised scores."""

from collections.abc import Mapping, Sequence
from typing import Literal

from hybridrank.connector.errors import EngineError
from hybridrank.connector.fusion.base import Fused, FusionMethod, NativeForm, merge
from hybridrank.connector.types import Ranking

__all__ = ["WeightedSum", "min_max"]


class WeightedSum(FusionMethod):
    """The sum over retrievers of weight · min_max(score); a retriever without the document adds nothing.

    Scores are scaled to [0, 1] inside each ranking (Bruch, Gai & Ingber, TOIS 2023, call it convex combination). A
    retriever without an entry in `weights` has weight 1.
    """

    kind: Literal["weighted_sum"] = "weighted_sum"

    def fuse(self, rankings: Mapping[str, Ranking]) -> tuple[Fused, ...]:
        """Fuses by normalised score."""
        shares = {
            retriever: [self.weights.get(retriever, 1.0) * share for share in min_max(ranking)]
            for retriever, ranking in rankings.items()
        }
        return merge(rankings, shares)

    def native(self, engine: str, retrievers: Sequence[str]) -> NativeForm:
        """Elasticsearch has it since 8.18 as the retriever `linear`.

        OpenSearch scales otherwise: the lowest score becomes 0.001, and the sum a mean.
        """
        if engine == "elasticsearch":
            return NativeForm(
                "linear", (8, 18), {}, self.weights_of(retrievers), per_retriever={"normalizer": "minmax"}
            )
        if engine == "opensearch":
            problem = "OpenSearch scales scores in another way than WeightedSum; Rrf is what it has in common with us"
            raise EngineError(problem, reason="not_native")
        return super().native(engine, retrievers)


def min_max(ranking: Ranking) -> list[float]:
    """Returns (score − lowest) / (highest − lowest) of each candidate, in order; all 1 if every score is the same.

    Negative scores work too: the bounds come from the scores themselves, not from 0.
    """
    if not ranking:
        return []
    lowest = min(candidate.score for candidate in ranking)
    spread = max(candidate.score for candidate in ranking) - lowest
    return [(each.score - lowest) / spread if spread else 1.0 for each in ranking]
