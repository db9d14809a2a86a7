"""Scores rows of features: checks them against the model's feature set, and computes them in blocks."""

from collections.abc import Sequence

import numpy as np

from hybridrank.common.model_info import ModelInfo
from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.rerankers.lambdamart import LambdaMartReranker
from hybridrank.sidecar.runtime.forest import Matrix
from hybridrank.sidecar.scoring.block_scoring import score_blocks
from hybridrank.sidecar.types import RelevanceScore, RerankRequest, Timings

__all__ = ["score_rows"]

# Size of a row relative to the tokens of texts, for the queue and its order: about its cost, or a little more.
ROW_TOKENS = 1
EXPLAINED_ROW_TOKENS = 64


async def score_rows(
    request: RerankRequest, reranker: LambdaMartReranker, worker: Worker
) -> tuple[list[RelevanceScore], Timings]:
    """Returns the raw score of each candidate, in order; with `best_effort`, of those ready just before the deadline.

    Raises InvalidArgument for rows of another feature set or of another length.
    """
    info, explained = reranker.info, request.contributions
    _require_feature_set(request, info)
    row_tokens, pace = (EXPLAINED_ROW_TOKENS, f"{info.name} explained") if explained else (ROW_TOKENS, info.name)
    rows = [passage.features for passage in request.passages]

    def compute(rows: Sequence[Sequence[float]]) -> Matrix:
        matrix = np.array(rows, dtype=np.float64)
        return reranker.explain(matrix) if explained else reranker.score(matrix)[:, np.newaxis]

    found, timings = await score_blocks(request, info.name, rows, [row_tokens] * len(rows), compute, worker, pace=pace)
    scores = [
        RelevanceScore(request.passages[place].passage_id, place, score, truncated=False, contributions=tuple(rest))
        for place, (score, *rest) in found.items()
    ]
    return scores, timings


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
