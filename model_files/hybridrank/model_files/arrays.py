"""Arrays of vectors: their type, and their length."""

import numpy as np
import numpy.typing as npt

__all__ = ["FloatArray", "unit_rows"]

FloatArray = npt.NDArray[np.float32]


def unit_rows(rows: FloatArray) -> FloatArray:
    """Divides each of `rows` (n, d) by its length; a row of zeros does not change.

    >>> unit_rows(np.array([[3, 4], [0, 0]], dtype=np.float32)).round(1).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), dtype=np.float32)
