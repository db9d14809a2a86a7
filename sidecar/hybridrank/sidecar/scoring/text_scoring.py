"""Scores passages by their texts: the first window of each, then further ones as far as time and room allow."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hybridrank.model_files.arrays import FloatArray
from hybridrank.sidecar.rerankers.base import PairReranker, Scored
from hybridrank.sidecar.scoring.computer import Computer
from hybridrank.sidecar.scoring.keys import window_key
from hybridrank.sidecar.scoring.row_cache import Row
from hybridrank.sidecar.scoring.text_job import rerank_work
from hybridrank.sidecar.types import ChunkScore, RelevanceScore, RerankRequest

__all__ = ["score_texts"]

COMBINE: Mapping[ChunkScore, Callable[[FloatArray], Any]] = {
    ChunkScore.MAX: np.max,
    ChunkScore.FIRST: np.max,  # of the first alone
    ChunkScore.MEAN: np.mean,
}


async def score_texts(request: RerankRequest, reranker: PairReranker, computer: Computer) -> Scored:
    """Returns the raw score of each passage, in order, and the number of tokens that the model read.

    With `best_effort`, only passages whose first window was scored shortly before the deadline. Further windows are
    scored after the first one of every passage; if the deadline is near or the queue is full, the score uses the scored
    windows.
    """
    work = rerank_work(request, reranker)
    rows, timings = await computer.rows(work)
    complete = all(key in rows for key in work.keys)
    longer = [place for place, key in enumerate(work.keys) if complete and rows[key].truncated]
    if request.truncate and request.max_windows > 1 and longer:
        further, more = await computer.rows(work.further(longer, request.max_windows))
        rows |= further
        timings += more
    scores, tokens = [], 0
    for place, key in enumerate(work.keys):
        keys = [window_key(key, number) for number in range(request.max_windows)]
        found = {number: rows[each] for number, each in enumerate(keys) if each in rows}
        if 0 in found and (request.truncate or not _cut(found)):
            scores.append(_score(request, place, found))
            tokens += sum(row.tokens for row in found.values())
    return Scored(scores, timings, tokens)


def _score(request: RerankRequest, place: int, windows: Mapping[int, Row]) -> RelevanceScore:
    """Returns the score of a passage from its scored windows."""
    values = np.array([row.values for row in windows.values()])
    return RelevanceScore(
        request.passages[place].passage_id,
        place,
        float(COMBINE[request.chunk_score](values)),
        _cut(windows),
        [*windows][int(np.argmax(values))] if request.max_windows > 1 else None,
        scored_chunks=len(windows),
    )


def _cut(windows: Mapping[int, Row]) -> bool:
    """Returns True if a part of the text is in no window."""
    return len(windows) <= max(windows) or windows[max(windows)].truncated
