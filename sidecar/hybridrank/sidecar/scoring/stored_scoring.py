"""Scores passages by their stored token vectors: encodes only the query, and compares it with them in blocks."""

import asyncio
from collections.abc import Sequence

import numpy as np

from hybridrank.model_files.arrays import FloatArray
from hybridrank.model_files.token_vectors import BadTokenVectors, TokenVectors, read
from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.models.catalog import LoadedModel
from hybridrank.sidecar.rerankers.colbert import ColbertReranker
from hybridrank.sidecar.scoring.block_scoring import score_blocks
from hybridrank.sidecar.scoring.text_job import require_query
from hybridrank.sidecar.types import RelevanceScore, RerankRequest, Timings

__all__ = ["score_stored"]

# By this factor, unpacking and comparing a stored token costs less than encoding one, for the queue and its order.
STORED_TOKENS_A_TOKEN = 64


async def score_stored(
    request: RerankRequest, model: LoadedModel, worker: Worker
) -> tuple[list[RelevanceScore], Timings]:
    """Returns the raw score of each candidate, in order; with `best_effort`, of those ready just before the deadline.

    Raises InvalidArgument for a model without late interaction, for vectors of another one, and for damaged ones.
    """
    reranker, info = model.reranker, model.info
    if not isinstance(reranker, ColbertReranker):
        problem = f"are for late interaction, and {info.name} is a {info.kind}; send texts"
        raise InvalidArgument("candidates.token_vectors", problem)
    require_query(request, info)
    head = await asyncio.to_thread(reranker.tokenize_query, request.query)
    passages = await asyncio.to_thread(_read, request, model)

    def compute(passages: Sequence[TokenVectors]) -> FloatArray:
        try:
            return reranker.score_stored(head, passages)[:, np.newaxis]
        except BadTokenVectors as error:
            raise InvalidArgument("candidates.token_vectors", str(error)) from error

    tokens = [(1 + each.tokens) / STORED_TOKENS_A_TOKEN for each in passages]
    pace = f"{info.name} stored"
    found, timings = await score_blocks(request, info.name, passages, tokens, compute, worker, pace=pace)
    scores = [
        RelevanceScore(request.passages[place].passage_id, place, score, passages[place].truncated)
        for place, (score,) in found.items()
    ]
    return scores, timings


def _read(request: RerankRequest, model: LoadedModel) -> list[TokenVectors]:
    found = []
    for index, passage in enumerate(request.passages):
        field = f"candidates[{index}].token_vectors"
        if not passage.token_vectors:
            raise InvalidArgument(field, "is empty, though others are not; send texts alone, or vectors for all")
        try:
            found.append(read(passage.token_vectors, model.codecs))
        except BadTokenVectors as error:
            raise InvalidArgument(field, str(error)) from error
    return found
