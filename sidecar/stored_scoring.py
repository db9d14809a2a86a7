"""Scores passages by their stored token vectors: the query is encoded, and compared with the rest in blocks."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sidecar.batching.worker import Worker
from sidecar.errors import BadScore, InvalidArgument
from sidecar.registry import LoadedModel
from sidecar.rerankers.base import FloatArray
from sidecar.rerankers.colbert import ColbertReranker
from sidecar.runtime.token_vectors import BadTokenVectors, TokenVectors, read
from sidecar.types import RelevanceScore, RerankRequest, Timings
from sidecar.work import require_query

__all__ = ["score_stored"]

# To unpack and compare a stored token costs about this much less than to encode one, for the queue and its turn.
STORED_TOKENS_A_TOKEN = 64
# A request is spread over the threads, in blocks no smaller than are worth the way to one and back, nor so large that
# they hold others up for longer than a batch of texts.
MIN_BLOCK_TOKENS = 4096
MAX_BLOCK_TOKENS = 32768
ALONE = 1  # a token budget that no two blocks share


@dataclass(frozen=True, eq=False)
class Block:
    """Passages of one codec that are compared in one pass, and their places in the request; equal to no other block."""

    places: Sequence[int]
    passages: Sequence[TokenVectors]

    def __len__(self) -> int:
        """What the block counts as in the queue."""
        return 1 + sum(each.tokens for each in self.passages) // STORED_TOKENS_A_TOKEN


async def score_stored(
    request: RerankRequest, model: LoadedModel, worker: Worker
) -> tuple[list[RelevanceScore], Timings]:
    """The raw score of each candidate; with `best_effort`, of those ready when the deadline nears.

    InvalidArgument for a model that compares no token vectors, for vectors of another one, and for damaged ones.
    """
    reranker, info = model.reranker, model.info
    if not isinstance(reranker, ColbertReranker):
        problem = f"are for late interaction, and {info.name} is a {info.kind}; send texts"
        raise InvalidArgument("candidates.token_vectors", problem)
    require_query(request, info)
    head = await asyncio.to_thread(reranker.tokenize_query, request.query)
    passages = await asyncio.to_thread(_read, request, model)
    blocks = list(_cut(passages, worker.threads))

    def compute(blocks: Sequence[Block]) -> Sequence[FloatArray]:
        (block,) = blocks
        try:
            return [reranker.score_stored(head, block.passages)]
        except BadTokenVectors as error:
            raise InvalidArgument("candidates.token_vectors", str(error)) from error

    tokens, pace = sum(map(len, blocks)), f"{info.name} stored"
    admit = worker.admissions.admit
    with admit(tokens, model=pace, deadline=request.deadline, best_effort=request.best_effort) as admission:
        computed = await worker.run(admission, {each: each for each in blocks}, compute, max_batch_tokens=ALONE)
    scores = []
    for block, values in computed.rows.items():
        for place, passage, score in zip(block.places, block.passages, values.tolist(), strict=True):
            if not np.isfinite(score):
                raise BadScore(info.name, f"candidates[{place}]")
            scores.append(RelevanceScore(request.passages[place].passage_id, place, score, passage.truncated))
    return sorted(scores, key=lambda each: each.index), Timings(0.0, computed.queue_ms, computed.compute_ms)


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


def _cut(passages: Sequence[TokenVectors], threads: int) -> Iterator[Block]:
    """Blocks of about a thread's share each, in the order of the request where all are of one codec."""
    share = sum(each.tokens for each in passages) // threads
    size = min(max(share, MIN_BLOCK_TOKENS), MAX_BLOCK_TOKENS)
    places: list[int] = []
    tokens = 0
    for place in sorted(range(len(passages)), key=lambda place: passages[place].codec.format):
        passage = passages[place]
        if places and (tokens + passage.tokens > size or passages[places[0]].codec is not passage.codec):
            yield Block(places, [passages[each] for each in places])
            places, tokens = [], 0
        places.append(place)
        tokens += passage.tokens
    if places:
        yield Block(places, [passages[each] for each in places])
