"""The sidecar as the connector sees it: vectors and relevance scores, each within a time budget."""
