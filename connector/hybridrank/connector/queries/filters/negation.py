"""Filter that excludes the documents of another filter."""

from dataclasses import dataclass
from typing import Any

from hybridrank.connector.mapping.filter_values import FilterTypes
from hybridrank.connector.queries.filters.base import Filter, Test, kind_of

__all__ = ["Not"]


@dataclass(frozen=True)
class Not(Filter):
    """The inner filter does not hold; a document without the field passes.

    >>> from hybridrank.connector.queries.filters.range import Range
    >>> Not(Range("depth", gte=2)).clause()
    {'bool': {'must_not': [{'range': {'depth': {'gte': 2}}}]}}
    """

    filter: Filter

    def __post_init__(self) -> None:
        if not isinstance(self.filter, Filter):
            raise ValueError(f"Not takes a filter, such as a Term, not {kind_of(self.filter)}")

    @property
    def names(self) -> tuple[str, ...]:
        """The fields of the inner filter."""
        return self.filter.names

    def clause(self) -> dict[str, Any]:
        """Returns a `bool` clause with `must_not`."""
        return {"bool": {"must_not": [self.filter.clause()]}}

    def fitted(self, index: str, types: FilterTypes) -> "Not":
        """Fits the inner filter."""
        return Not(self.filter.fitted(index, types))

    def test(self, types: FilterTypes) -> Test:
        """Inverts the inner test."""
        holds = self.filter.test(types)
        return lambda doc_id, source: not holds(doc_id, source)
