"""What OpenSearch and Elasticsearch have in common: addresses, HTTP, `_msearch`, `_bulk`, errors."""
