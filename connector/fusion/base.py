"""What fusion works on and gives: rankings in, one ranking out, each document with its share of the evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from typing import Protocol

from connector.types import Candidate, FoundPassage, Ranking, RetrieverScore

__all__ = ["Fused", "FusionMethod", "merge"]


@dataclass(frozen=True, slots=True)
class Fused:
    """A document of the fused ranking: its rank and score there, and what each retriever that found it said."""

    candidate: Candidate
    retrievers: Mapping[str, RetrieverScore]


class FusionMethod(Protocol):
    """A way to turn rankings into one."""

    def fuse(self, rankings: Mapping[str, Ranking]) -> tuple[Fused, ...]:
        """Every document of the rankings, best first. The order of `rankings` does not matter."""
        ...


def merge(rankings: Mapping[str, Ranking], shares: Mapping[str, Mapping[str, float]]) -> tuple[Fused, ...]:
    """Add up each document's shares (retriever → doc_id → share) and rank by the sum.

    Sums use fsum, so the order of the retrievers cannot change a bit of them. Ties: best retriever rank, then doc_id,
    so the answer is the same on every shard count and page size.
    """
    found: dict[str, dict[str, Candidate]] = {}
    for retriever, ranking in rankings.items():
        for candidate in ranking:
            found.setdefault(candidate.doc_id, {})[retriever] = candidate
    scores = {doc_id: fsum(shares[name][doc_id] for name in by_retriever) for doc_id, by_retriever in found.items()}

    def order(doc_id: str) -> tuple[float, int, str]:
        return -scores[doc_id], min(candidate.rank for candidate in found[doc_id].values()), doc_id

    return tuple(
        Fused(
            candidate=Candidate(
                doc_id, rank, scores[doc_id], next(iter(found[doc_id].values())).source, _passage(found[doc_id])
            ),
            retrievers={name: RetrieverScore(each.rank, each.score) for name, each in found[doc_id].items()},
        )
        for rank, doc_id in enumerate(sorted(found, key=order), start=1)
    )


def _passage(by_retriever: Mapping[str, Candidate]) -> FoundPassage | None:
    """That of the retriever that ranks the document best, of those that found one."""
    best_first = sorted(by_retriever, key=lambda name: (by_retriever[name].rank, name))
    return next((each for name in best_first if (each := by_retriever[name].passage)), None)
