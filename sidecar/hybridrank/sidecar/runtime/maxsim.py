"""Late-interaction scores with NumPy, over passages of different lengths without any padding."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hybridrank.model_files.arrays import FloatArray


def maxsim(query: FloatArray, passages: Sequence[FloatArray]) -> FloatArray:
    """Returns, for each passage, the mean over query tokens of the best cosine among its tokens.

    Late interaction as in Khattab & Zaharia, SIGIR 2020, with the mean instead of the sum, so that scores of short and
    long queries share a range.

    query (q, d), q >= 1, and each passage (p_i, d) hold unit rows. Returns (n,) in [-1, 1], and -inf for a passage
    without tokens. A passage's score depends only on itself and the query: no row is padding, and the maximum starts at
    -inf, so that all-negative cosines keep their sign.

    >>> query = np.eye(2, dtype=np.float32)
    >>> maxsim(query, [query, query[:1], -query[:1], query[:0]]).tolist()
    [1.0, 0.5, -0.5, -inf]
    """
    lengths = np.array([len(passage) for passage in passages], dtype=np.intp)
    rows = np.concatenate(passages) if passages else query[:0]
    return maxsim_of_rows(query, rows, lengths)


def maxsim_of_rows(query: FloatArray, rows: FloatArray, lengths: npt.NDArray[np.intp]) -> FloatArray:
    """Same as `maxsim`, for passages with stacked rows: `rows` (sum of `lengths`, d), `lengths` (n,).

    >>> query = np.eye(2, dtype=np.float32)
    >>> maxsim_of_rows(query, np.concatenate([query, -query[:1]]), np.array([2, 0, 1])).tolist()
    [1.0, -inf, -0.5]
    """
    scores = np.full(len(lengths), -np.inf, dtype=np.float32)
    filled = np.flatnonzero(lengths)
    if filled.size == 0:
        return scores
    starts = np.concatenate(([0], np.cumsum(lengths[filled])[:-1]))
    cosines = query.astype(np.float32, copy=False) @ rows.astype(np.float32, copy=False).T
    scores[filled] = np.maximum.reduceat(cosines, starts, axis=1).mean(axis=0)
    return scores
