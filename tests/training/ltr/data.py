"""Rows whose grades depend on their features, for models to learn from."""

import numpy as np

from hybridrank.training.ltr.dataset import RankingData

NAMES = ("title", "text", "price", "age", "noise")


def made_up(queries=40, rows=12, *, missing=0.2, seed=3) -> RankingData:
    """Grades 0 to 3 that rise with the title, and fall with the age; rows are in the order of the text's feature."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(queries, rows, len(NAMES)))
    values = np.take_along_axis(values, np.argsort(-values[:, :, 1], axis=1)[:, :, None], axis=1).reshape(
        -1, len(NAMES)
    )
    worth = 2 * values[:, 0] + values[:, 1] - values[:, 3] + random.normal(scale=0.3, size=len(values))
    grades = np.digitize(worth, [0.5, 2, 3.5])
    values[random.random(values.shape) < missing] = np.nan
    return RankingData(
        values,
        grades.astype(np.int64),
        tuple(f"q{number}" for number in range(queries)),
        (rows,) * queries,
        tuple(f"d{number}" for number in range(queries * rows)),
    )
