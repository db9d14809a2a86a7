"""First part of a search: the query's vectors, from the caller or from the sidecar."""

import asyncio
from collections.abc import Awaitable
from typing import Protocol

from hybridrank.common.counts import counted
from hybridrank.connector.errors import BadScores, SidecarError, SidecarMissing
from hybridrank.connector.request import SearchRequest
from hybridrank.connector.search_context import SearchContext
from hybridrank.connector.sidecar_client.base import Encoder, SparseEncoder
from hybridrank.connector.types import Encoding

__all__ = ["EncodesQueries", "encode_query"]

_SHARE = 0.5  # of the search's time: no answer is possible without the engine, so encoding leaves it half


class EncodesQueries(Encoder, SparseEncoder, Protocol):
    """Makes the vectors of queries."""


async def encode_query(
    encoder: EncodesQueries | None, request: SearchRequest, search: SearchContext
) -> tuple[Encoding | None, Encoding | None]:
    """Returns the vector and the sparse vector, each with its model; None for one that is not needed, or failed.

    The model of a caller's own vector is unknown. Raises SidecarMissing.
    """
    given = Encoding(request.query_vector) if request.query_vector is not None else None
    wanted = request.needs_vector and given is None
    if encoder is None and (wanted or request.needs_sparse):
        needed = "comparing vectors needs a query_vector in the request, or a sidecar that encodes the query"
        raise SidecarMissing("encode", needed)
    if encoder is None or not (wanted or request.needs_sparse):
        return given, None
    timeout_s = search.limit_s("encode", request.encode_timeout_s, share=_SHARE)
    if timeout_s is None:
        return given, None
    texts = [request.query_text]
    dense, sparse = await asyncio.gather(
        _first(encoder.encode(texts, model=request.encoder, kind="query", timeout_s=timeout_s), search)
        if wanted
        else _nothing(),
        _first(
            encoder.encode_sparse(texts, model=request.sparse_encoder, kind="query", timeout_s=timeout_s),
            search,
            instead="no sparse vector",
        )
        if request.needs_sparse
        else _nothing(),
    )
    return given or dense, sparse


async def _first(
    encodings: Awaitable[tuple[Encoding, ...]], search: SearchContext, instead: str = ""
) -> Encoding | None:
    try:
        found = await encodings
        if len(found) != 1:
            raise BadScores(f"{counted(len(found), 'vector')} for one query")
    except SidecarError as error:
        search.left_out.failed("encode", error, instead=instead)
        return None
    return found[0]


async def _nothing() -> None:
    return None
