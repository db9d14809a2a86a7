"""Retrievers of the first stage, a file each."""

from hybridrank.connector.queries.retrievers.base import Dialect, Matches, Query, Reader, Request
from hybridrank.connector.queries.retrievers.bm25 import Bm25Query
from hybridrank.connector.queries.retrievers.knn import KnnQuery
from hybridrank.connector.queries.retrievers.sparse import SparseQuery

__all__ = ["RETRIEVERS", "Bm25Query", "Dialect", "KnnQuery", "Matches", "Query", "Reader", "Request", "SparseQuery"]

RETRIEVERS: dict[str, type[Query]] = {each.name: each for each in (Bm25Query, KnnQuery, SparseQuery)}
"""Each retriever by its name, in the order in which engines run them."""
