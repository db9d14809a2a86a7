"""Reciprocal rank fusion."""

from collections.abc import Mapping, Sequence
from math import fsum
from typing import Any, Literal

from pydantic import Field
from typing_extensions import Self

from hybridrank.connector.errors import EngineError
from hybridrank.connector.fusion.base import Chooser, Fused, FusionMethod, NativeForm, merge
from hybridrank.connector.types import Ranking

__all__ = ["Rrf"]

_MOST_CONSTANT = 10_000  # that OpenSearch takes


class Rrf(FusionMethod):
    """The sum over retrievers of weight / (rank_constant + rank); a retriever without the document adds nothing.

    Cormack, Clarke & Büttcher, SIGIR 2009, whose constant is 60. Raw scores are not looked at, so retrievers need not
    be comparable.
    """

    kind: Literal["rrf"] = "rrf"
    rank_constant: int = Field(60, ge=1)

    def fuse(self, rankings: Mapping[str, Ranking]) -> tuple[Fused, ...]:
        """Fuses by rank alone."""
        shares = {
            retriever: [self.weights.get(retriever, 1.0) / (self.rank_constant + each.rank) for each in ranking]
            for retriever, ranking in rankings.items()
        }
        return merge(rankings, shares)

    def native(self, engine: str, retrievers: Sequence[str]) -> NativeForm:
        """Elasticsearch has it since 8.16, with weights other than 1 since 9.2.

        OpenSearch ranks the whole index since 3.5; before, every shard had ranks of its own, and documents that only
        kNN had found were lost (https://github.com/opensearch-project/neural-search/pull/1718). It takes shares of 1
        as weights, so that its scores are ours divided by the sum of the weights.
        """
        weights = self.weights_of(retrievers)
        is_weighted = any(weight != 1 for weight in weights)
        parameters = {"rank_constant": self.rank_constant}
        sent = weights if is_weighted else ()
        if engine == "elasticsearch":
            return NativeForm("rrf", (9, 2) if is_weighted else (8, 16), parameters, sent)
        if engine != "opensearch":
            return super().native(engine, retrievers)
        if self.rank_constant > _MOST_CONSTANT:
            problem = f"OpenSearch takes a rank_constant of at most {_MOST_CONSTANT}, not {self.rank_constant}"
            raise EngineError(problem, reason="not_native")
        if not any(weights):
            raise EngineError("OpenSearch wants weights that sum to 1, and these are all 0", reason="not_native")
        return NativeForm("rrf", (3, 5), parameters, sent, scale=fsum(weights) if is_weighted else 1.0)

    @classmethod
    def tuned(cls, chooser: Chooser, weights: Mapping[str, float]) -> Self:
        """A rank_constant from 1 to 200, on a logarithmic scale."""
        return cls(rank_constant=chooser.suggest_int("rank_constant", 1, 200, log=True), weights=weights)

    def choices(self) -> dict[str, Any]:
        """The rank_constant."""
        return {"rank_constant": self.rank_constant}
