"""Checks of answers: each text has exactly one number or vector, all are finite, and vectors have the right length."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from hybridrank.common.errors import HybridrankError
from hybridrank.model_files.arrays import FloatArray, unit_rows

__all__ = ["WRONG_SHAPE", "BadAnswer", "parse", "require_model", "scores_in_order", "vectors_in_order"]

WRONG_SHAPE = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""Exceptions of a reader of answers when it meets another shape."""

NUMBERS = "iuf"  # of NumPy: no text that reads as a number, no null, no true
LARGEST = float(np.finfo(np.float32).max)


class BadAnswer(HybridrankError, ValueError):
    """An answer that must not be used; the message has none of its text."""


def parse(answer: bytes) -> Any:
    """Returns the JSON value; raises BadAnswer."""
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        raise BadAnswer("answered with something that is not JSON; look at its URL and api") from None


def require_model(answer: Any, model: str) -> None:
    """Raises BadAnswer if the answer names another model; some APIs name none.

    >>> require_model({"model": "rerank-2.5", "data": []}, "rerank-2.5")
    """
    named = answer.get("model") if isinstance(answer, dict) else None
    if named is not None and named != model:
        raise BadAnswer(f"answered in the name of another model than {model}; if it is the same, set answers_as to it")


def scores_in_order(found: Iterable[tuple[Any, Any]], count: int) -> FloatArray:
    """Returns (count,) scores from (index, score) in any order; raises BadAnswer.

    >>> scores_in_order([(1, 0.5), (0, 0.25)], 2).tolist()
    [0.25, 0.5]
    """
    scores = np.array(_in_order(found, count, "scores"))
    if scores.shape != (count,) or scores.dtype.kind not in NUMBERS:
        raise BadAnswer("answered with scores that are not numbers")
    _require_finite(scores.astype(np.float64), "a score")
    return scores.astype(np.float32)


def vectors_in_order(found: Iterable[tuple[Any, Any]], count: int, dimensions: int) -> FloatArray:
    """Returns (count, dimensions) unit rows from (index, vector) in any order; raises BadAnswer."""
    rows = _in_order(found, count, "vectors")
    lengths = {len(row) if isinstance(row, list) else 0 for row in rows}
    if lengths - {dimensions}:
        wrong = min(lengths - {dimensions})
        raise BadAnswer(f"answered with vectors of {wrong} dimensions, and model.toml says {dimensions}")
    vectors = np.array(rows).reshape(count, dimensions)
    if vectors.dtype.kind not in NUMBERS:
        raise BadAnswer("answered with vectors that are not of numbers")
    vectors = vectors.astype(np.float64)
    largest = np.abs(vectors).max(axis=1, keepdims=True)  # so that no square overflows
    _require_finite(largest, "a vector")
    if not largest.all():
        raise BadAnswer("answered with a vector of zeros, which has no direction")
    return unit_rows((vectors / largest).astype(np.float32))


def _in_order(found: Iterable[tuple[Any, Any]], count: int, name: str) -> list[Any]:
    pairs = list(found)
    if len(pairs) != count:
        raise BadAnswer(f"answered with {len(pairs)} {name} for {count} texts")
    by_index = {index: value for index, value in pairs if type(index) is int}
    if sorted(by_index) != list(range(count)):
        raise BadAnswer(f"answered with {name} whose indices are not those of the {count} texts")
    return [by_index[index] for index in range(count)]


def _require_finite(values: npt.NDArray[np.float64], name: str) -> None:
    if not (np.abs(values) < LARGEST).all():  # also False for NaN
        raise BadAnswer(f"answered with {name} that is not finite")
