"""Scores rows of features: checked against the model's feature set, admitted, and computed in blocks.

A row takes a forest some microseconds, less than to look it up in a cache or to be told apart from others, so nothing
is kept and equal rows are computed twice.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sidecar.batching.worker import Worker
from sidecar.errors import BadScore, InvalidArgument
from sidecar.rerankers.lambdamart import LambdaMartReranker
from sidecar.runtime.forest import Matrix
from sidecar.types import ModelInfo, RelevanceScore, RerankRequest, Timings

__all__ = ["score_rows"]

# What a row counts as beside the tokens of texts, for the queue and its turn: about what it costs, or a little more.
ROW_TOKENS = 1
EXPLAINED_ROW_TOKENS = 64
# A request is spread over the threads, in blocks no smaller than are worth the way to one and back, nor larger than
# a batch of texts, so that neither holds the other up for longer.
MIN_BLOCK_TOKENS = 32
MAX_BLOCK_TOKENS = 512
ALONE = 1  # a token budget that no two blocks share


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that are computed in one pass; equal to no other block."""

    start: int
    rows: Sequence[Sequence[float]]
    row_tokens: int

    def __len__(self) -> int:
        """What the block counts as in the queue."""
        return len(self.rows) * self.row_tokens


async def score_rows(
    request: RerankRequest, reranker: LambdaMartReranker, worker: Worker
) -> tuple[list[RelevanceScore], Timings]:
    """The raw score of each candidate, in their order; with `best_effort`, of those ready when the deadline nears.

    InvalidArgument for rows of another feature set or of another length.
    """
    info, explained = reranker.info, request.contributions
    _require_feature_set(request, info)
    row_tokens, pace = (EXPLAINED_ROW_TOKENS, f"{info.name} explained") if explained else (ROW_TOKENS, info.name)
    rows = [passage.features for passage in request.passages]
    tokens = row_tokens * len(rows)
    share = math.ceil(tokens / worker.threads)
    size = math.ceil(min(max(share, MIN_BLOCK_TOKENS), MAX_BLOCK_TOKENS) / row_tokens)
    blocks = [Block(start, rows[start : start + size], row_tokens) for start in range(0, len(rows), size)]

    def compute(blocks: Sequence[Block]) -> Matrix:
        (block,) = blocks
        matrix = np.array(block.rows, dtype=np.float64)
        return (reranker.explain(matrix) if explained else reranker.score(matrix)[:, np.newaxis])[np.newaxis]

    admit = worker.admissions.admit
    with admit(tokens, model=pace, deadline=request.deadline, best_effort=request.best_effort) as admission:
        computed = await worker.run(admission, {each: each for each in blocks}, compute, max_batch_tokens=ALONE)
    scores = []
    for block, values in computed.rows.items():
        if (bad := np.flatnonzero(~np.isfinite(values[:, 0]))).size:
            raise BadScore(info.name, f"candidates[{block.start + bad[0]}]")
        for index, (score, *contributions) in enumerate(values.tolist(), block.start):
            passage_id = request.passages[index].passage_id
            scores.append(RelevanceScore(passage_id, index, score, truncated=False, contributions=tuple(contributions)))
    return scores, Timings(0.0, computed.queue_ms, computed.compute_ms)


def _require_feature_set(request: RerankRequest, info: ModelInfo) -> None:
    """InvalidArgument unless the rows are of this model's feature set, as far as can be seen."""
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
