"""LambdaMART: a forest scores candidates from rows of features; it reads no text."""

import numpy as np

from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.forest_folder import MODEL, ForestFolder
from hybridrank.sidecar.runtime.forest import BadForest, Forest, Matrix

__all__ = ["LambdaMartReranker"]


class LambdaMartReranker:
    """Relevance scores are sums over trees: unbounded, comparable within one query. A score depends only on its row.

    Raises BadModelFolder if the trees and the feature set do not match.
    """

    def __init__(self, folder: ForestFolder) -> None:
        self.info = folder.info
        self.feature_set = folder.feature_set
        try:
            self._forest = Forest(folder.model)
        except BadForest as error:
            raise BadModelFolder(folder.path, f"{MODEL}: {error}") from error
        except (ImportError, OSError) as error:
            wanted = "pip install 'hybridrank[sidecar]', and libgomp of the system"
            raise BadModelFolder(folder.path, f"LightGBM cannot be loaded here ({error}); {wanted}") from error
        columns, names = list(self._forest.features), list(self.feature_set.names)
        if len(columns) != len(names):
            problem = f"{MODEL} has {len(columns)} features and features.json {len(names)}"
            raise BadModelFolder(folder.path, f"{problem}; put the set of its training there")
        if columns != names and sorted(columns) == sorted(names):
            raise BadModelFolder(folder.path, f"{MODEL} has the features of features.json in another order")

    def score(self, rows: Matrix) -> Matrix:
        """Returns (n,) scores of rows (n, features)."""
        return self._forest.predict(rows)

    def explain(self, rows: Matrix) -> Matrix:
        """Returns (n, 1 + features + 1): the score, the contribution of each feature, and the bias."""
        return np.column_stack([self._forest.predict(rows), self._forest.contributions(rows)])
