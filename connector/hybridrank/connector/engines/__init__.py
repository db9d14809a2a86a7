"""The engines: OpenSearch, Elasticsearch, and the embedded one."""
