"""Documents into an index: encoded, each text once, written in batches that can be resumed."""

from hybridrank.connector.indexing.documents import IndexingReport, find_encoder, index_documents

__all__ = ["IndexingReport", "find_encoder", "index_documents"]
