"""Small real rerankers: one that waits to be let through, one that is sure, one that is broken."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hybridrank.common.model_info import ModelInfo
from hybridrank.sidecar.rerankers.base import Pair
from hybridrank.sidecar.rerankers.kind import LoadedModel
from hybridrank.sidecar.rerankers.token_overlap import TokenOverlapReranker
from hybridrank.sidecar.runtime.tokenizer import TokenSequence
from hybridrank.sidecar.types import TextKind

GATED = replace(TokenOverlapReranker.info, name="gated")


@dataclass
class GatedReranker(TokenOverlapReranker):
    """Token overlap, a pair at a time; passages of more than `free` words wait for the gate. Keeps what it scored."""

    info: ModelInfo = GATED
    batches: bool = False
    free: int = 0
    gate: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)
    scored: list[int] = field(default_factory=list)

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        self.started.set()
        assert max(map(len, pairs)) <= self.free or self.gate.wait(timeout=60)
        self.scored.extend(len(pair) for pair in pairs)
        return super().score(pairs)


class ConfidentReranker(TokenOverlapReranker):
    """Token overlap on a scale where a sigmoid can tell nothing apart."""

    info = replace(TokenOverlapReranker.info, name="confident")

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        return 1000 * super().score(pairs)


class BrokenModel(TokenOverlapReranker):
    """Returns NaN for texts of fewer than two words, and raises for texts that hold the word "raise"."""

    info = replace(TokenOverlapReranker.info, name="broken", kind="encoder")
    http_order = 1

    def windows(self, query: str, passages: Sequence[str], max_windows: int) -> list[list[Pair]]:
        if any("raise" in passage for passage in passages):
            raise RuntimeError("the cat sat on the tokenizer")
        return super().windows(query, passages, max_windows)

    def score(self, pairs: Sequence[Pair]) -> np.ndarray:
        scores = super().score(pairs)
        scores[[len(pair) < 2 for pair in pairs]] = np.nan
        return scores

    def tokenize_texts(self, texts: Sequence[str], kind: TextKind) -> list[TokenSequence]:
        return [pair.sequence for pair in self.tokenize("any", texts)]

    def embed(self, sequences: Sequence[TokenSequence]) -> np.ndarray:
        return np.full((len(sequences), 2), np.nan, dtype=np.float32)


def loaded(reranker: TokenOverlapReranker) -> LoadedModel:
    """The model as the registry would hold it."""
    return LoadedModel(reranker.info, reranker, reranker if isinstance(reranker, BrokenModel) else None)


def versioned(name: str, version: str, *aliases: str) -> LoadedModel:
    """A model of this name, version and aliases."""
    return LoadedModel(
        replace(TokenOverlapReranker.info, name=name, version=version, aliases=aliases), TokenOverlapReranker()
    )
