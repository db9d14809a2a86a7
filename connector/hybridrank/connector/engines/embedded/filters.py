"""Filters over documents in memory, by the types that a server's mapping would have."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hybridrank.connector.mapping.filter_values import FilterTypes
from hybridrank.connector.queries.filters import Filter

__all__ = ["passing"]

Mask: TypeAlias = NDArray[np.bool_]


def passing(
    filters: Sequence[Filter], doc_ids: Sequence[str], sources: Sequence[Mapping[str, Any]], types: FilterTypes
) -> Mask:
    """Returns (n,): True where every filter, fitted to the types, holds for the document."""
    if not filters:
        return np.ones(len(sources), dtype=np.bool_)
    tests = [each.test(types) for each in filters]
    documents = zip(doc_ids, sources, strict=True)
    return np.fromiter((all(test(*each) for test in tests) for each in documents), dtype=np.bool_)
