"""Indexing of documents: encodes each text once and writes in batches that can be resumed."""

from hybridrank.connector.indexing.documents import (
    IndexingReport,
    find_encoder,
    find_sparse_encoder,
    index_documents,
)

__all__ = ["IndexingReport", "find_encoder", "find_sparse_encoder", "index_documents"]
