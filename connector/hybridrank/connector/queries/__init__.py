"""Query bodies of a search."""
