"""Makes NumPy multiply matrices on the calling thread, because the sidecar already has one thread per core."""

import ctypes
from pathlib import Path

import numpy as np

__all__ = ["multiply_on_one_thread"]

_SET = ("scipy_openblas_set_num_threads64_", "openblas_set_num_threads64_", "openblas_set_num_threads")


def multiply_on_one_thread() -> None:
    """Applies to the whole process, even if NumPy was imported before: OpenBLAS reads its variables only once.

    OpenBLAS threads spin while they wait for each other. With other work on the same cores, a product of a query with
    stored token vectors took twenty times as long with them as without. Does nothing if NumPy has no OpenBLAS of its
    own.
    """
    for path in (Path(np.__file__).parents[1] / "numpy.libs").glob("*openblas*"):
        library = ctypes.CDLL(str(path))
        for name in _SET:
            if hasattr(library, name):
                getattr(library, name)(1)
