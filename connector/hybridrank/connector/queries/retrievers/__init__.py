"""Query bodies of the first stage, one file per kind of retriever."""

from typing import TypeAlias

from hybridrank.connector.queries.retrievers.bm25 import Bm25Query
from hybridrank.connector.queries.retrievers.knn import KnnQuery

__all__ = ["Bm25Query", "KnnQuery", "Query"]

Query: TypeAlias = Bm25Query | KnnQuery
