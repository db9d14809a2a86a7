"""The sidecar as the connector sees it: vectors and relevance scores within a budget."""
