"""Encodes texts into sparse vectors."""

from hybridrank.sidecar.errors import InvalidArgument
from hybridrank.sidecar.rerankers.base import SparseEncoder
from hybridrank.sidecar.scoring.computer import Computer
from hybridrank.sidecar.scoring.text_job import sparse_work
from hybridrank.sidecar.types import Embedding, EncodeRequest, EncodeResult

__all__ = ["encode_sparse"]


async def encode_sparse(request: EncodeRequest, encoder: SparseEncoder, computer: Computer) -> EncodeResult:
    """Returns a sparse vector per text, in the order of the request; raises InvalidArgument for token vectors."""
    if request.token_vectors:
        raise InvalidArgument("model", f"{encoder.info.name} is a {encoder.info.kind}, which makes no token vectors")
    work = sparse_work(request, encoder)
    rows, timings = await computer.rows(work)
    found = {key: Embedding((), row.truncated, sparse=encoder.sparse_vector(row.values)) for key, row in rows.items()}
    tokens = sum(rows[key].tokens for key in work.keys)
    return EncodeResult(tuple(found[key] for key in work.keys), work.model, timings, tokens)
