"""State that the parts of one search share: the remaining time, the timings, and the parts left out."""

from hybridrank.connector.search_context.context import SearchContext

__all__ = ["SearchContext"]
