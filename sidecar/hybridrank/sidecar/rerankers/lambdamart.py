"""LambdaMART: a forest scores candidates from rows of features; it reads no text."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from hybridrank.common.model_info import ModelInfo
from hybridrank.model_files import forest_folder
from hybridrank.model_files.errors import BadModelFolder
from hybridrank.model_files.forest_folder import MODEL, ForestFolder
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.rerankers.base import Reranker, Scored, Scoring
from hybridrank.sidecar.rerankers.kind import LoadedModel, Variant
from hybridrank.sidecar.runtime.forest import BadForest, Forest, Matrix
from hybridrank.sidecar.runtime.precision import Wanted
from hybridrank.sidecar.types import RelevanceScore, RerankRequest

__all__ = ["LambdaMartReranker", "variants"]

ODD_VALUES = (0.0, 1.0, math.nan, math.inf, -math.inf)
# Size of a row relative to the tokens of texts, for the queue and its order: about its cost, or a little more.
ROW_TOKENS = 1
EXPLAINED_ROW_TOKENS = 64


class LambdaMartReranker(Reranker):
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

    async def scores(self, request: RerankRequest, scoring: Scoring) -> Scored:
        """Scores the features of each candidate; raises InvalidArgument for another feature set or length of a row."""
        info, explained = self.info, request.contributions
        _require_feature_set(request, info)
        row_tokens, pace = (EXPLAINED_ROW_TOKENS, f"{info.name} explained") if explained else (ROW_TOKENS, info.name)
        rows = [passage.features for passage in request.passages]

        def compute(rows: Sequence[Sequence[float]]) -> Matrix:
            matrix = np.array(rows, dtype=np.float64)
            return self.explain(matrix) if explained else self.score(matrix)[:, np.newaxis]

        found, timings = await scoring.blocks(request, info.name, rows, [row_tokens] * len(rows), compute, pace=pace)
        scores = [
            RelevanceScore(request.passages[place].passage_id, place, score, truncated=False, contributions=tuple(rest))
            for place, (score, *rest) in found.items()
        ]
        return Scored(scores, timings)

    def self_check(self) -> str | None:
        """Scores rows of missing and extreme values."""
        scores = self.score(np.array([[value] * len(self.feature_set.names) for value in ODD_VALUES]))
        if not np.isfinite(scores).all():
            return f"rows of {ODD_VALUES} got the scores {scores.tolist()}; train it again"
        return None


def variants(path: Path, _wanted: Wanted) -> Sequence[Variant]:
    """The kind `lambdamart`. It has one precision and runs equally on any CPU."""
    folder = forest_folder.read(path)
    return [Variant(folder.info, partial(_load, folder))]


def _load(folder: ForestFolder) -> LoadedModel:
    reranker = LambdaMartReranker(folder)
    return LoadedModel(reranker.info, reranker)


def _require_feature_set(request: RerankRequest, info: ModelInfo) -> None:
    """Raises InvalidArgument unless the rows belong to this model's feature set, as far as can be checked."""
    model, wanted = f"{info.name}:{info.version}", info.feature_set
    assert wanted is not None  # a forest has one
    if request.feature_set_digest != wanted.digest:
        raise InvalidArgument(
            "feature_set_digest",
            f"is {request.feature_set_digest or 'empty'}, but {model} was trained on {wanted.digest}, the feature set "
            f"{wanted.name} {wanted.version}; make the rows by that set",
        )
    columns = len(wanted.features)
    for index, passage in enumerate(request.passages):
        if len(passage.features) != columns:
            raise InvalidArgument(
                f"candidates[{index}].features",
                f"has {len(passage.features)} values, but {model} reads {columns}; NaN is a missing one",
            )
