"""Vectors as whole numbers of one byte. Pure."""

from hybridrank.connector.types import Vector

__all__ = ["as_bytes"]

_LARGEST = 127


def as_bytes(vector: Vector) -> tuple[int, ...]:
    """Scales to whole numbers from -127 to 127, using the full range: for cosine only the direction of a vector counts.

    >>> as_bytes((0.1, -0.05, 0.0))
    (127, -64, 0)
    """
    peak = max(map(abs, vector), default=0) or 1
    return tuple(round(_LARGEST * value / peak) for value in vector)
