"""The embedded engine: tantivy BM25 and exact kNN over one folder on disk."""

from hybridrank.connector.engines.embedded.engine import EmbeddedEngine

__all__ = ["EmbeddedEngine"]
