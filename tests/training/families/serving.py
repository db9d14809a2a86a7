"""Asks the real server on loopback for what it computes of pairs."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Literal

import grpc
import numpy as np
import pytest

from hybridrank.sidecar.models import loading, trial
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from tests.sidecar.serving import Client, rerank_request, serving
from tests.training.families.row import Array
from tests.training.families.texts import PAIRS, Pair

__all__ = ["pairs_for", "scores", "served"]

NAME = "source"


async def _reranked(client: Client, pairs: Sequence[Pair]) -> Array:
    """Returns the score of each pair; passages are read up to the model's length."""
    found: list[float] = []
    for query, group in groupby(pairs, key=lambda pair: pair[0]):
        request = rerank_request(NAME, query, *(passage for _, passage in group))
        request.options.max_chunks_per_document = 1
        results = (await client.reranker.Rerank(request)).results
        found += [each.relevance_score for each in sorted(results, key=lambda each: each.index)]
    return np.array(found)


async def _encoded(client: Client, pairs: Sequence[Pair]) -> Array:
    """Returns the vectors of each pair's query and passage."""
    sides = []
    for kind, texts in zip((pb.TEXT_KIND_QUERY, pb.TEXT_KIND_DOCUMENT), zip(*pairs, strict=True), strict=True):
        reply = await client.encoder.Encode(pb.EncodeRequest(model=NAME, texts=texts, kind=kind))
        sides.append([each.vector for each in reply.embeddings])
    return np.array(sides).swapaxes(0, 1)


ENCODED: Mapping[str, Callable[[Client, Sequence[Pair]], Awaitable[Array]]] = {"encoder": _encoded}


def pairs_for(becomes: str) -> list[Pair]:
    """Returns the pairs for a kind: those that are encoded hold no empty text."""
    return [pair for pair in PAIRS if all(pair) or becomes not in ENCODED]


async def served(folder: Path, becomes: str, precision: Literal["fp32", "int8"]) -> Array:
    """Serves a model folder at a precision, and returns what comes back for the pairs; an empty query is refused."""
    models = loading.load([folder], load_folder=partial(trial.load_model, precision=precision))
    assert [each.info.precision for each in models] == [precision]
    ask = ENCODED.get(becomes, _reranked)
    async with serving(models) as client:
        with pytest.raises(grpc.aio.AioRpcError, match="send at least one word"):
            await ask(client, [("", "")])
        return await ask(client, pairs_for(becomes))


def scores(computed: Array) -> Array:
    """Returns (pairs,) scores: those that came back, or cosines of the vectors."""
    return computed if computed.ndim == 1 else (computed[:, 0] * computed[:, 1]).sum(axis=-1)
