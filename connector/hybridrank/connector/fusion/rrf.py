"""Reciprocal rank fusion."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hybridrank.connector.fusion.base import Fused, merge
from hybridrank.connector.types import Ranking

__all__ = ["Rrf"]


class Rrf(BaseModel):
    """The sum over retrievers of weight / (rank_constant + rank); a retriever without the document adds nothing.

    Cormack, Clarke & Büttcher, SIGIR 2009, whose constant is 60. A retriever without an entry in `weights` has weight
    1; weights are ≥ 0 and may have any sum. Raw scores are not used, so retrievers need not be comparable.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["rrf"] = "rrf"
    rank_constant: int = Field(60, ge=1)
    weights: Mapping[str, Annotated[float, Field(ge=0)]] = {}

    def fuse(self, rankings: Mapping[str, Ranking]) -> tuple[Fused, ...]:
        """Fuses by rank alone."""
        shares = {
            retriever: [self.weights.get(retriever, 1.0) / (self.rank_constant + each.rank) for each in ranking]
            for retriever, ranking in rankings.items()
        }
        return merge(rankings, shares)
