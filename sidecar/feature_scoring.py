"""Scores rows of features: checked against the model's feature set, admitted, and computed in blocks.

A row takes a forest some microseconds, less than to look it up in a cache or to be told apart from others, so nothing
is kept and equal rows are computed twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sidecar.batching.worker import Worker
from sidecar.cache import Row
from sidecar.errors import BadScore, InvalidArgument
from sidecar.rerankers.lambdamart import LambdaMartReranker
from sidecar.runtime.forest import Matrix
from sidecar.types import RerankRequest, Timings

__all__ = ["score_rows"]

# What a row counts as beside the tokens of texts, for the queue and its turn: about what it costs, or a little more.
ROW_TOKENS = 1
EXPLAINED_ROW_TOKENS = 64
BLOCK_TOKENS = 512  # as many as the padded tokens of a batch of texts, so that neither holds the other up for longer
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
) -> tuple[dict[int, Row], Timings]:
    """The score of each candidate, by its index; with `best_effort`, of those that are ready when the deadline nears.

    InvalidArgument for rows of another feature set or of another length.
    """
    _require_feature_set(request, reranker)
    info, explained = reranker.info, request.contributions
    row_tokens, pace = (EXPLAINED_ROW_TOKENS, f"{info.name} explained") if explained else (ROW_TOKENS, info.name)
    rows = [passage.features for passage in request.passages]
    size = BLOCK_TOKENS // row_tokens
    blocks = [Block(start, rows[start : start + size], row_tokens) for start in range(0, len(rows), size)]

    def compute(blocks: Sequence[Block]) -> Matrix:
        (block,) = blocks
        matrix = np.array(block.rows, dtype=np.float64)
        return (reranker.explain(matrix) if explained else reranker.score(matrix)[:, np.newaxis])[np.newaxis]

    tokens = sum(map(len, blocks))
    admit = worker.admissions.admit
    with admit(tokens, model=pace, deadline=request.deadline, best_effort=request.best_effort) as admission:
        computed = await worker.run(admission, {each: each for each in blocks}, compute, max_batch_tokens=ALONE)
    values = {index: row for block in computed.rows for index, row in enumerate(computed.rows[block], block.start)}
    for index, row in values.items():
        if not np.isfinite(row[0]):
            raise BadScore(info.name, f"candidates[{index}]")
    scored = {index: Row(row[0], truncated=False, tokens=0, contributions=row[1:]) for index, row in values.items()}
    return scored, Timings(0.0, computed.queue_ms, computed.compute_ms)


def _require_feature_set(request: RerankRequest, reranker: LambdaMartReranker) -> None:
    """InvalidArgument unless the rows are of this model's feature set, as far as can be seen."""
    model, wanted = f"{reranker.info.name}:{reranker.info.version}", reranker.feature_set
    if request.feature_set_digest != wanted.digest:
        raise InvalidArgument(
            "feature_set_digest",
            f"is {request.feature_set_digest or 'empty'}, but {model} was trained on {wanted.digest}, the feature set "
            f"{wanted.name} {wanted.version}; make the rows by that set",
        )
    for index, passage in enumerate(request.passages):
        if len(passage.features) != len(wanted.names):
            raise InvalidArgument(
                f"candidates[{index}].features",
                f"has {len(passage.features)} values, but {model} reads {len(wanted.names)}; NaN is a missing one",
            )
