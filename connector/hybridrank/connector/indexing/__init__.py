"""Indexing of documents: encodes each text once and writes in batches that can be resumed."""

from hybridrank.connector.indexing.chosen_models import (
    LATE_INTERACTION,
    default_token_vectors,
    find_encoder,
    find_sparse_encoder,
    find_token_encoder,
)
from hybridrank.connector.indexing.documents import IndexingReport, index_documents

__all__ = [
    "LATE_INTERACTION",
    "IndexingReport",
    "default_token_vectors",
    "find_encoder",
    "find_sparse_encoder",
    "find_token_encoder",
    "index_documents",
]
