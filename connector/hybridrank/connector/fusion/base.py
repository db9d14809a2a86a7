"""Input and output of fusion: rankings in, one ranking out, each document with its evidence from the retrievers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import Protocol

from hybridrank.connector.types import Candidate, FoundPassage, Ranking, RetrieverScore

__all__ = ["Fused", "FusionMethod", "merge"]


@dataclass(frozen=True, slots=True)
class Fused:
    """A document of the fused ranking: its rank and score, and the candidate of each retriever that found it."""

    candidate: Candidate
    retrievers: Mapping[str, RetrieverScore]


class FusionMethod(Protocol):
    """A method to fuse rankings into one."""

    def fuse(self, rankings: Mapping[str, Ranking]) -> tuple[Fused, ...]:
        """Returns every document of the rankings, best first. The order of `rankings` does not matter."""
        ...


def merge(rankings: Mapping[str, Ranking], shares: Mapping[str, Sequence[float]]) -> tuple[Fused, ...]:
    """Adds each document's shares (by retriever, one for each candidate of its ranking) and ranks by the sum.

    Sums use fsum, so the order of the retrievers does not change them. Ties: best retriever rank, then index,
    then doc_id, so the answer is the same on every shard count and page size.
    """
    # Plain tuples and lists instead of DocumentKeys and generators: this runs for every document of every search.
    found: dict[tuple[str, str], tuple[dict[str, Candidate], list[float]]] = {}
    for retriever, ranking in rankings.items():
        for candidate, share in zip(ranking, shares[retriever], strict=True):
            key = candidate.index, candidate.doc_id
            if key in found:
                said, evidence = found[key]
                said[retriever] = candidate
                evidence.append(share)
            else:
                found[key] = {retriever: candidate}, [share]
    ordered = sorted(
        [(-fsum(evidence), min([each.rank for each in said.values()]), key) for key, (said, evidence) in found.items()]
    )
    return tuple([_fused(*key, rank, -score, found[key][0]) for rank, (score, _, key) in enumerate(ordered, 1)])


def _fused(index: str, doc_id: str, rank: int, score: float, said: Mapping[str, Candidate]) -> Fused:
    source = next(iter(said.values())).source
    return Fused(
        candidate=Candidate(doc_id, rank, score, source, _passage(said), index),
        retrievers={name: RetrieverScore(each.rank, each.score) for name, each in said.items()},
    )


def _passage(said: Mapping[str, Candidate]) -> FoundPassage | None:
    """Returns the passage from the retriever that ranks the document best, among those that found one."""
    found = [(each.rank, name, each.passage) for name, each in said.items() if each.passage]
    return min(found)[2] if found else None
