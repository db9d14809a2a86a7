"""First part of a search: the query's vector, from the caller or from the sidecar."""

from hybridrank.common.counts import counted
from hybridrank.connector.errors import BadScores, SidecarError, SidecarMissing
from hybridrank.connector.request import SearchRequest
from hybridrank.connector.search_context import SearchContext
from hybridrank.connector.sidecar_client.base import Encoder
from hybridrank.connector.types import Encoding

__all__ = ["encode_query"]

_SHARE = 0.5  # of the search's time: no answer is possible without the engine, so encoding leaves it half


async def encode_query(encoder: Encoder | None, request: SearchRequest, search: SearchContext) -> Encoding | None:
    """Returns the vector and its model, from the reply; None if it is not needed, or failed.

    The model of a caller's own vector is unknown. Raises SidecarMissing.
    """
    if request.query_vector is not None:
        return Encoding(request.query_vector)
    if not request.needs_vector:
        return None
    if encoder is None:
        needed = "comparing vectors needs a query_vector in the request, or a sidecar that encodes the query"
        raise SidecarMissing("encode", needed)
    timeout_s = search.limit_s("encode", request.encode_timeout_s, share=_SHARE)
    if timeout_s is None:
        return None
    try:
        encodings = await encoder.encode([request.query_text], model=request.encoder, kind="query", timeout_s=timeout_s)
        if len(encodings) != 1:
            raise BadScores(f"{counted(len(encodings), 'vector')} for one query")
    except SidecarError as error:
        search.left_out.failed("encode", error)
        return None
    return encodings[0]
