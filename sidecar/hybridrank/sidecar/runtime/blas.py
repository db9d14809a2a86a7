"""Has NumPy multiply matrices on the thread that asks: the sidecar's own threads are one for each core already."""

import ctypes
from pathlib import Path

import numpy as np

__all__ = ["multiply_on_one_thread"]

_SET = ("scipy_openblas_set_num_threads64_", "openblas_set_num_threads64_", "openblas_set_num_threads")


def multiply_on_one_thread() -> None:
    """For the whole process, and whoever imported NumPy before: OpenBLAS reads its variables only once.

    Its threads spin while they wait for each other. Beside other work on the same cores a product of a query with
    stored token vectors took twenty times as long with them as without. Does nothing where NumPy came without OpenBLAS
    of its own.
    """
    for path in (Path(np.__file__).parents[1] / "numpy.libs").glob("*openblas*"):
        library = ctypes.CDLL(str(path))
        for name in _SET:
            if hasattr(library, name):
                getattr(library, name)(1)
