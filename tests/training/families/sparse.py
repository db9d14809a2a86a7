"""SPLADE models, which rerank by the dot product of the weights that they give to tokens."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from tests.training.families.row import Array, Row, Served
from tests.training.families.texts import Pair

__all__ = ["ROWS"]


def _saved(folder: Path, seed: int) -> None:
    from tests.golden import tiny_splade

    tiny_splade.save(folder, seed)


def dot_products(source: Path, pairs: Sequence[Pair], _max_tokens: int) -> Array:
    """Returns the dot product of sentence-transformers' weights of query and passage, special tokens left out."""
    from tests.golden import tiny_splade

    texts = list(dict.fromkeys(text for pair in pairs for text in pair))
    weights = dict(zip(texts, tiny_splade.weights(source, texts), strict=True))
    return np.array(
        [
            sum(weight * weights[passage].get(token, 0.0) for token, weight in weights[query].items())
            for query, passage in pairs
        ]
    )


ROWS: tuple[Row, ...] = (
    Served("SPLADE", "naver/splade-v3", "splade", partial(_saved, seed=2), dot_products, within=1e-4),
)
