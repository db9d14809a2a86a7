"""Run a real OpenSearch or Elasticsearch on this machine, without Docker."""
