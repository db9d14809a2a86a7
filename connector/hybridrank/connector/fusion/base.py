"""Input and output of fusion: rankings in, one ranking out, each document with its evidence from the retrievers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import Self

from hybridrank.connector.errors import EngineError
from hybridrank.connector.types import Candidate, FoundPassage, Ranking, RetrieverScore

__all__ = ["Chooser", "Fused", "FusionMethod", "NativeForm", "merge"]


@dataclass(frozen=True, slots=True)
class Fused:
    """A document of the fused ranking: its rank and score, and the candidate of each retriever that found it."""

    candidate: Candidate
    retrievers: Mapping[str, RetrieverScore]


@dataclass(frozen=True, slots=True)
class NativeForm:
    """A fusion as an engine computes it: its name there, the first version that has it (major, minor), its parameters.

    `weights` are sent one for each retriever, and none are sent where they are empty. `per_retriever` are further
    settings of each retriever. The engine's scores times `scale` are ours.
    """

    name: str
    since: tuple[int, int]
    parameters: Mapping[str, Any]
    weights: tuple[float, ...] = ()
    per_retriever: Mapping[str, Any] = field(default_factory=dict)
    scale: float = 1.0


class Chooser(Protocol):
    """Chooses numbers; an optuna trial is one."""

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None = None) -> float:
        """A number from low to high, both included."""
        ...

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number from low to high, both included."""
        ...

    def suggest_categorical(self, name: str, choices: tuple[str, ...]) -> Any:
        """One of the choices."""
        ...


class FusionMethod(BaseModel, ABC):
    """A way to turn rankings into one. `kind` is its name in files and in JSON.

    A retriever that `weights` does not name weighs 1; weights are ≥ 0 and need not sum to anything. Blending
    squares scores, so that weights have an upper bound too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: str
    weights: Mapping[str, Annotated[float, Field(ge=0, le=1e100)]] = {}

    @abstractmethod
    def fuse(self, rankings: Mapping[str, Ranking]) -> tuple[Fused, ...]:
        """Returns every document of the rankings, best first. The order of `rankings` does not matter."""

    def native(self, engine: str, retrievers: Sequence[str]) -> NativeForm:  # noqa: ARG002
        """Returns what the engine of this name is asked with, so that it fuses the rankings of these retrievers itself.

        Raises EngineError with reason "not_native" where it has no such fusion, or computes another one.
        """
        raise EngineError(f"{engine} has no fusion {self.kind!r}; fuse with the client", reason="not_native")

    @classmethod
    def tuned(cls, chooser: Chooser, weights: Mapping[str, float]) -> Self:  # noqa: ARG003
        """Returns the fusion with these weights and its other parameters as the chooser has them."""
        return cls.model_validate({"weights": weights})

    def choices(self) -> dict[str, Any]:
        """Returns what a chooser would have to choose in `tuned` for this fusion."""
        return {}

    def weights_of(self, retrievers: Sequence[str]) -> tuple[float, ...]:
        """Returns the weight of each retriever, in their order."""
        return tuple(self.weights.get(retriever, 1.0) for retriever in retrievers)


def merge(rankings: Mapping[str, Ranking], shares: Mapping[str, Sequence[float]]) -> tuple[Fused, ...]:
    """Adds each document's shares (by retriever, one for each candidate of its ranking) and ranks by the sum.

    Sums use fsum, so the order of the retrievers does not change them. Ties: best retriever rank, then index,
    then doc_id, so the answer is the same on every shard count and page size.
    """
    # Plain tuples and lists instead of DocumentKeys and generators: this runs for every document of every search.
    found: dict[tuple[str, str], list[tuple[str, Candidate, float]]] = {}
    for retriever, ranking in rankings.items():
        for candidate, share in zip(ranking, shares[retriever], strict=True):
            key = candidate.index, candidate.doc_id
            said = retriever, candidate, share
            if key in found:
                found[key].append(said)
            else:
                found[key] = [said]
    ordered = sorted(
        [
            (-fsum([share for _, _, share in said]), min([each.rank for _, each, _ in said]), key)
            for key, said in found.items()
        ]
    )
    return tuple([_fused(key, rank, -score, found[key]) for rank, (score, _, key) in enumerate(ordered, 1)])


def _fused(key: tuple[str, str], rank: int, score: float, said: Sequence[tuple[str, Candidate, float]]) -> Fused:
    index, doc_id = key
    _, first, _ = said[0]
    return Fused(
        Candidate(doc_id, rank, score, first.source, _passage(said), index),
        {name: RetrieverScore(each.rank, each.score) for name, each, _ in said},
    )


def _passage(said: Sequence[tuple[str, Candidate, float]]) -> FoundPassage | None:
    """Returns the passage from the retriever that ranks the document best, among those that found one."""
    found = [(each.rank, name, each.passage) for name, each, _ in said if each.passage]
    return min(found)[2] if found else None
