"""Elasticsearch: client, dialect, licence, native retrievers."""

from hybridrank.connector.engines.elasticsearch.engine import ElasticsearchEngine

__all__ = ["ElasticsearchEngine"]
