"""The teacher of a student: an ensemble's score of every document of a list, or an ordering of them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hybridrank.common.cells import identifier
from hybridrank.common.user_file import UserFile
from hybridrank.connector.queries.retrievers import RETRIEVERS
from hybridrank.training.neural.errors import RecipeError
from hybridrank.training.neural.lists import RankedList
from hybridrank.training.neural.recipe import TeacherWeights

__all__ = ["TEACHER", "read_ordering", "taught", "without_false_negatives"]

TEACHER = "teacher"


def taught(each: RankedList, weights: TeacherWeights, ordering: Mapping[str, tuple[str, ...]]) -> RankedList:
    """Adds the teacher's scores to the list: the weighted sum of z-scores, or the rank from the end of an ordering.

    A score that is the same for all documents counts 0. Documents that are missing from an ordering come below the
    others. Raises RecipeError for a name without scores in the list.
    """
    if weights.ordering:
        best_first = ordering.get(each.query_id, ())
        places = {doc_id: len(best_first) - place for place, doc_id in enumerate(best_first)}
        return each.with_scores(TEACHER, [float(places.get(doc_id, 0)) for doc_id in each.doc_ids])
    total = np.zeros(len(each.doc_ids))
    for name, weight in weights.weights.items():
        if name == "grade":
            grades = np.array([grade or 0 for grade in each.grades], dtype=float)
            total += weight * grades / max(1.0, grades.max())
        elif name in each.scores:
            total += weight * _z(np.array(each.scores[name]))
        elif name not in RETRIEVERS:  # a retriever that was not used for this list's collection
            raise RecipeError(f"teacher.weights: the list of query {each.query_id} has no scores of {name!r}")
    return each.with_scores(TEACHER, total.tolist())


def without_false_negatives(each: RankedList, margin: float | None, documents: int | None) -> RankedList:
    """Removes documents that are not judged relevant and score more than `margin` above the best relevant one.

    The scores are the teacher's. Only the first `documents` are kept, all with None.
    """
    scores = each.scores[TEACHER]
    relevant = [score for score, grade in zip(scores, each.grades, strict=True) if grade]
    limit = max(relevant) + margin if relevant and margin is not None else np.inf
    kept = [place for place, grade in enumerate(each.grades) if grade or scores[place] <= limit]
    return each.of(kept[:documents])


def read_ordering(path: Path | None) -> dict[str, tuple[str, ...]]:
    """Returns query_id → doc_ids, best first. Raises RecipeError with file and line."""
    if path is None:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    file = UserFile(path, RecipeError)
    for number, entry in file.objects():
        try:
            query_id, doc_ids = identifier(entry.get("query_id"), "query_id"), entry.get("doc_ids")
            if not isinstance(doc_ids, list):
                raise ValueError("expected a list as doc_ids")
            if query_id in found:
                raise ValueError(f"query {query_id!r} comes a second time")
            found[query_id] = tuple(identifier(each, "doc_ids") for each in doc_ids)
        except ValueError as error:
            file.bad(number, f'{error}; expected {{"query_id": …, "doc_ids": […]}}')
    return found


def _z(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    spread = values.std()
    return (values - values.mean()) / spread if spread > 1e-9 else np.zeros_like(values)
