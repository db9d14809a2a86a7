"""An inverted index of sparse vectors in memory: the documents of each token, with their weights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Postings"]


@dataclass(frozen=True, slots=True)
class Postings:
    """Postings of `documents` documents: token → ordinals in order, and their weights."""

    documents: int
    by_token: Mapping[str, tuple[NDArray[np.int64], NDArray[np.float32]]]

    @classmethod
    def of(cls, vectors: Sequence[Mapping[str, float]]) -> "Postings":
        """Inverts vectors, one for each ordinal.

        >>> Postings.of([{"tea": 2.0}, {}, {"tea": 1.0}]).scores({"tea": 0.5, "hot": 3.0}).tolist()
        [1.0, 0.0, 0.5]
        """
        found: dict[str, tuple[list[int], list[float]]] = {}
        for ordinal, vector in enumerate(vectors):
            for token, weight in vector.items():
                ordinals, weights = found.setdefault(token, ([], []))
                ordinals.append(ordinal)
                weights.append(weight)
        arrays = {token: (np.array(one), np.array(other, dtype=np.float32)) for token, (one, other) in found.items()}
        return cls(len(vectors), arrays)

    def scores(self, query: Mapping[str, float]) -> NDArray[np.float64]:
        """Returns (documents,) dot products with the query; 0 for a document that shares no token."""
        scores = np.zeros(self.documents)
        for token, weight in query.items():
            if token in self.by_token:
                ordinals, weights = self.by_token[token]
                scores[ordinals] += weight * weights.astype(np.float64)
        return scores
