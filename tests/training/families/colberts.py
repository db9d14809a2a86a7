"""ColBERT checkpoints of both libraries, beside loops over transformers."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tests.training.families.row import Array, Row, Served
from tests.training.families.texts import Pair

__all__ = ["ROWS"]


def _saved(folder: Path, library: Literal["colbert_ai", "pylate"], **config: Any) -> None:
    from tests.golden import tiny_colbert

    getattr(tiny_colbert, f"save_as_{library}")(folder, 7, **config)


def _late(
    source: Path, pairs: Sequence[Pair], _max_tokens: int, library: Literal["colbert_ai", "pylate"], **options: Any
) -> Array:
    from tests.golden import tiny_colbert

    projected = getattr(tiny_colbert, f"projected_as_{library}")
    return np.array(tiny_colbert.late_interaction(source, projected, list(pairs), **options))


ROWS: tuple[Row, ...] = (
    Served(
        "colbert-ai",
        "colbert-ir/colbertv2.0, answerdotai/answerai-colbert-small-v1",
        "colbert",
        partial(_saved, library="colbert_ai", mask_punctuation=False, attend_to_mask_tokens=True),
        partial(_late, library="colbert_ai", attended=True, skipped=""),
        max_tokens=40,
    ),
    Served(
        "PyLate",
        "lightonai/colbertv2.0",
        "colbert",
        partial(_saved, library="pylate", do_query_expansion=False, skiplist_words=[".", "!"]),
        partial(_late, library="pylate", expanded=False, skipped=".!"),
        max_tokens=40,
    ),
)
