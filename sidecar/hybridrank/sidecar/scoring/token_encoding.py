"""Encodes texts into vectors of their tokens, packed for storage in an index."""

import asyncio
from collections.abc import Mapping, Sequence

from hybridrank.model_files import token_vectors
from hybridrank.model_files.token_codec import CODEC, TokenCodec
from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.rerankers.kind import LoadedModel
from hybridrank.sidecar.scoring.computer import Computer
from hybridrank.sidecar.scoring.keys import window_key
from hybridrank.sidecar.scoring.row_cache import Row
from hybridrank.sidecar.scoring.text_job import token_work
from hybridrank.sidecar.types import Embedding, EncodeRequest, EncodeResult

__all__ = ["encode_tokens"]


async def encode_tokens(request: EncodeRequest, model: LoadedModel, computer: Computer) -> EncodeResult:
    """Returns the packed vectors of each text's tokens, in the order of the request; from an encoder, also its vector.

    Those of a long document are of its first windows, as many as `Rerank` reads by default; its vector is of the first.

    Raises InvalidArgument for a model that makes none, and for a codec that it does not have.
    """
    if model.token_encoder is None:
        reason = "pools inside its graph" if model.info.pooling == "graph" else f"is a {model.info.kind}"
        raise InvalidArgument("model", f"{model.info.name} {reason}, which makes no token vectors")
    codec = _codec(model, request.token_vectors)
    work = token_work(request, model.token_encoder, model.encoder, codec)
    rows, timings = await computer.rows(work)
    found = {
        key: [rows[each] for each in (window_key(key, number) for number in work.wanted) if each in rows]
        for key in work.keys
    }
    packed = await asyncio.to_thread(_packed, codec, found, vectors=1 if model.encoder else 0)
    tokens = sum(row.tokens for key in work.keys for row in found[key])
    return EncodeResult(tuple(packed[key] for key in work.keys), model.info, timings, tokens)


def _codec(model: LoadedModel, wanted: str) -> TokenCodec:
    for name, codec in model.codecs.items():
        if name == wanted:
            return codec
    problem = f"is {wanted}, but {model.info.name} packs by {', '.join(model.codecs)}"
    raise InvalidArgument("token_vectors", f"{problem}; `hybridrank colbert train-codec` makes a {CODEC} for it")


def _packed(codec: TokenCodec, found: Mapping[bytes, Sequence[Row]], *, vectors: int) -> dict[bytes, Embedding]:
    """Keeps the first `vectors` rows of each text's first window unchanged, and packs the rest of each window."""
    return {
        key: Embedding(
            tuple(windows[0].values[:vectors].ravel().tolist()),
            windows[-1].truncated,
            token_vectors.write(codec, *(each.values[vectors:] for each in windows), truncated=windows[-1].truncated),
        )
        for key, windows in found.items()
    }
