"""The matrix of families: what becomes of the checkpoints people use. The tests that measure it write its file."""

import json
from dataclasses import dataclass
from importlib.resources import files

__all__ = ["FILE", "FamilyRow", "matrix"]

FILE = "matrix.json"


@dataclass(frozen=True)
class FamilyRow:
    """A family, checkpoints of it, and the kind of the sidecar that it becomes, or `because` it is refused.

    Served at fp32, its scores or entries of vectors differ from its own library's by less than `within`; at int8 the
    Spearman correlation with fp32 is above `spearman`.
    """

    family: str
    examples: str
    becomes: str = ""
    within: float | None = None
    spearman: float | None = None
    because: str = ""


def matrix() -> tuple[FamilyRow, ...]:
    """Returns the rows of the file beside this module."""
    text = files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    return tuple(FamilyRow(**row) for row in json.loads(text))
