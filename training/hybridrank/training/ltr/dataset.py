"""Feature rows with grades, by query: the data to train and measure a learning-to-rank model."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["UNJUDGED", "Grades", "Matrix", "RankingData", "from_groups"]

Matrix = npt.NDArray[np.float64]
Grades = npt.NDArray[np.int64]

UNJUDGED = -1
"""The grade of an unjudged row. It is not grade 0."""


@dataclass(frozen=True, eq=False)
class RankingData:
    """Groups of rows, one group per query, with its rows in the order of the previous stage's ranking.

    `rows` (n, f) has NaN for what is missing; `grades` (n,) are 0, 1, 2 … or UNJUDGED; `sizes` is the number of rows of
    each of `query_ids`. `positions` (n,), 0-based, is the shown rank of each document if the grades come from clicks.
    """

    rows: Matrix
    grades: Grades
    query_ids: tuple[str, ...]
    sizes: tuple[int, ...]
    doc_ids: tuple[str, ...]
    positions: Grades | None = None

    def __post_init__(self) -> None:
        count = len(self.rows)
        others = [len(self.grades), sum(self.sizes), len(self.doc_ids)]
        if others != [count] * 3 or len(self.query_ids) != len(self.sizes):
            raise ValueError(f"{count} rows, but {others} grades, rows of groups and doc_ids")

    def groups(self) -> Iterator[tuple[str, slice]]:
        """Yields each query with the slice of its rows."""
        bounds = pairwise(accumulate(self.sizes, initial=0))
        yield from ((query_id, slice(*each)) for query_id, each in zip(self.query_ids, bounds, strict=True))

    def of(self, query_ids: Collection[str]) -> "RankingData":
        """Returns the groups of these queries, in the order of this data."""
        return self._where(self.rows_of(query_ids))

    def rows_of(self, query_ids: Collection[str]) -> npt.NDArray[np.bool_]:
        """Returns (n,): True for the rows of these queries."""
        return np.repeat([each in query_ids for each in self.query_ids], self.sizes).astype(bool)

    def judged(self) -> "RankingData":
        """Returns the data without unjudged rows and without groups that have only those."""
        return self._where(self.grades != UNJUDGED)

    def with_unjudged_as(self, grade: int) -> "RankingData":
        """Returns the data with this grade for unjudged rows."""
        return replace(self, grades=np.where(self.grades == UNJUDGED, grade, self.grades))

    def _where(self, keep: npt.NDArray[np.bool_]) -> "RankingData":
        kept = [(query_id, int(keep[place].sum())) for query_id, place in self.groups()]
        kept = [(query_id, size) for query_id, size in kept if size]
        return RankingData(
            self.rows[keep],
            self.grades[keep],
            tuple(query_id for query_id, _ in kept),
            tuple(size for _, size in kept),
            tuple(doc_id for doc_id, each in zip(self.doc_ids, keep, strict=True) if each),
            None if self.positions is None else self.positions[keep],
        )


def from_groups(groups: Sequence[tuple[str, Sequence[tuple[str, int, Sequence[float]]]]], features: int) -> RankingData:
    """Builds the data from groups of (query_id, rows), with a row as (doc_id, grade, `features` values)."""
    rows = [row for _, group in groups for row in group]
    return RankingData(
        np.array([values for _, _, values in rows], dtype=np.float64).reshape(len(rows), features),
        np.array([grade for _, grade, _ in rows], dtype=np.int64),
        tuple(query_id for query_id, _ in groups),
        tuple(len(group) for _, group in groups),
        tuple(doc_id for doc_id, _, _ in rows),
    )
