"""Common code for OpenSearch and Elasticsearch: addresses, HTTP, `_msearch`, `_bulk`, errors."""
