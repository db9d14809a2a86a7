"""The trees of a LightGBM model: rows of features → scores and the contributions of the features."""

import logging
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from threading import local

import numpy as np
import numpy.typing as npt

from hybridrank.common.errors import HybridrankError

__all__ = ["BadForest", "Forest", "Matrix"]

Matrix = npt.NDArray[np.float64]


class BadForest(HybridrankError, ValueError):
    """LightGBM cannot read the file, or it is not a ranking forest."""


class Forest:
    """One score per row. Several threads may use it at once: each computes on its own core, on one thread.

    `features` are the names of the columns in the file. Raises BadForest, and ImportError without LightGBM, which is
    imported only here: the import takes half a second and includes scipy, so a sidecar without a forest avoids it.
    """

    def __init__(self, path: Path) -> None:
        import lightgbm

        lightgbm.register_logger(logging.getLogger("lightgbm"))  # it would print to stdout
        try:
            self._booster = lightgbm.Booster(model_file=str(path))
        except lightgbm.basic.LightGBMError as error:
            raise BadForest(f"LightGBM cannot read it: {error}") from error
        if (classes := self._booster.num_model_per_iteration()) != 1:
            raise BadForest(f"it has {classes} scores a row, as for classes; train it with objective lambdarank")
        self.features: Sequence[str] = self._booster.feature_name()
        self._of_thread = local()

    def predict(self, rows: Matrix) -> Matrix:
        """Returns (n,) raw scores of rows (n, features): the sum of one leaf per tree, exactly as `Booster.predict`.

        NaN is a missing value and takes the branch from training; infinities are compared like any number.
        """
        return np.asarray(self._booster.predict(rows, raw_score=True, num_threads=1, validate_features=False))

    def contributions(self, rows: Matrix) -> Matrix:
        """Returns (n, features + 1): each feature's contribution to a row's score; the last entry is the bias.

        TreeSHAP, Lundberg et al., "Consistent individualized feature attribution for tree ensembles", 2018. The bias is
        the mean score of the training set. The entries add up to the score. Some hundred times the work of `predict`.
        """
        # In each such call LightGBM measures the depth of every tree again, in place; a parallel call might read it
        # half-written, so each thread has its own copy.
        if not hasattr(self._of_thread, "booster"):
            self._of_thread.booster = deepcopy(self._booster)
        booster = self._of_thread.booster
        return np.asarray(booster.predict(rows, pred_contrib=True, num_threads=1, validate_features=False))
