"""Filter by bounds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import ge, gt, le, lt
from typing import Any

from typing_extensions import Self

from hybridrank.connector.mapping.field_types import FieldType
from hybridrank.connector.mapping.filter_values import bound_of, indexed
from hybridrank.connector.queries.filters.base import FieldFilter, check_scalar

__all__ = ["Range"]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"gte": ge, "lte": le, "gt": gt, "lt": lt}


@dataclass(frozen=True)
class Range(FieldFilter):
    """The field is between the given bounds: gte and lte include the bound, gt and lt do not.

    >>> Range("depth", gte=2).clause()
    {'range': {'depth': {'gte': 2}}}
    """

    gte: float | str | None = None
    lte: float | str | None = None
    gt: float | str | None = None
    lt: float | str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.bounds:
            raise ValueError(f"Range of field {self.field!r} has no bound; give gte, lte, gt or lt")
        for each in self.bounds.values():
            check_scalar(self, each, "a bound is a number or a string")
            if isinstance(each, bool):
                raise ValueError(f"Range of field {self.field!r} takes numbers and strings, not bool")

    @property
    def bounds(self) -> dict[str, float | str]:
        """The given bounds, by name."""
        return {name: bound for name in _COMPARE if (bound := getattr(self, name)) is not None}

    def clause(self) -> dict[str, Any]:
        """Returns a `range` clause."""
        return {"range": {self.field: self.bounds}}

    def converted(self, type_: FieldType, where: str) -> Self:
        """Converts each bound."""
        found: dict[str, Any] = {name: bound_of(bound, type_, where) for name, bound in self.bounds.items()}
        return replace(self, **found)

    def test_value(self, type_: FieldType) -> Callable[[Any], bool]:
        """Compares numbers as numbers and words in the order of their characters."""
        limits = [(_COMPARE[name], *indexed([bound], type_)) for name, bound in self.bounds.items()]
        return lambda value: all(compare(value, bound) for compare, bound in limits)
