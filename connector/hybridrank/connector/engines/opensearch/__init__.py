"""OpenSearch: client, dialect, native fusion."""

from hybridrank.connector.engines.opensearch.engine import OpenSearchEngine

__all__ = ["OpenSearchEngine"]
