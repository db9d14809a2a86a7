"""Filter by one value."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from typing_extensions import Self

from hybridrank.connector.mapping.field_types import FieldType
from hybridrank.connector.mapping.filter_values import Scalar, indexed, value_of
from hybridrank.connector.queries.filters.base import FieldFilter, check_scalar

__all__ = ["Term"]


@dataclass(frozen=True)
class Term(FieldFilter):
    """The field has this value, or has it among several.

    >>> Term("kind", "drink").clause()
    {'term': {'kind': 'drink'}}
    """

    value: Scalar

    def __post_init__(self) -> None:
        super().__post_init__()
        check_scalar(self, self.value, "Terms takes several")

    def clause(self) -> dict[str, Any]:
        """Returns a `term` clause."""
        return {"term": {self.field: self.value}}

    def converted(self, type_: FieldType, where: str) -> Self:
        """Converts the value."""
        return replace(self, value=value_of(self.value, type_, where))

    def test_value(self, type_: FieldType) -> Callable[[Any], bool]:
        """Compares as the index does: equal numbers are one value."""
        return set(indexed([self.value], type_)).__contains__
