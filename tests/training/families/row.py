"""A row of the matrix of families: a checkpoint that is served, or one that is refused."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.training.families.texts import Pair

__all__ = ["Array", "Refused", "Row", "Served"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Served:
    """A family, checkpoints of the hub that are of it, and the kind of the sidecar that it becomes.

    `build` saves a tiny checkpoint into a folder. `expected` takes that folder, pairs and the length of the export, and
    returns what the checkpoint's own library computes: (pairs,) scores, or (pairs, 2, dimensions) unit vectors of
    queries and passages. Served scores and entries of vectors are closer than `within` at fp32, and the
    order at int8 agrees with that at fp32 by a Spearman correlation above `spearman`.
    """

    name: str
    examples: str
    becomes: str
    build: Callable[[Path], object]
    expected: Callable[[Path, Sequence[Pair], int], Array]
    max_tokens: int = 48
    within: float = 3e-5
    spearman: float = 0.95
    asked: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """A family that is refused, and the reason that its sentence says."""

    name: str
    examples: str
    build: Callable[[Path], object]
    because: str


Row = Served | Refused
