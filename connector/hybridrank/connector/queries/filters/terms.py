"""Filter by any of several values."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from typing_extensions import Self

from hybridrank.connector.mapping.field_types import FieldType
from hybridrank.connector.mapping.filter_values import Scalar, indexed, value_of
from hybridrank.connector.queries.filters.base import FieldFilter, check_scalar, kind_of

__all__ = ["MAX_TERMS", "Terms"]

MAX_TERMS = 65_536
"""Maximum values of one Terms: the limit of OpenSearch and Elasticsearch (index.max_terms_count)."""


@dataclass(frozen=True)
class Terms(FieldFilter):
    """The field has one of these values."""

    values: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.values, (tuple, list)):
            raise ValueError(f"Terms of field {self.field!r} takes a tuple of values, not {kind_of(self.values)}")
        object.__setattr__(self, "values", tuple(self.values))
        if len(self.values) > MAX_TERMS:
            raise ValueError(f"Terms of field {self.field!r} takes {MAX_TERMS} values, not {len(self.values)}")
        for value in self.values:
            check_scalar(self, value, "each is one value")

    def clause(self) -> dict[str, Any]:
        """Returns a `terms` clause."""
        return {"terms": {self.field: list(self.values)}}

    def converted(self, type_: FieldType, where: str) -> Self:
        """Converts each value; equal ones are sent once."""
        return replace(self, values=tuple(dict.fromkeys(value_of(value, type_, where) for value in self.values)))

    def test_value(self, type_: FieldType) -> Callable[[Any], bool]:
        """Compares as the index does: equal numbers are one value."""
        return set(indexed(self.values, type_)).__contains__
