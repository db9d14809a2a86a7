"""Checks of queries, filters and documents against the mapping of an index."""
