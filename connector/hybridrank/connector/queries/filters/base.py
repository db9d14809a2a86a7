"""Base classes of filters: what a filter is for a server, for the embedded engine, and in a file."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from inspect import isabstract
from typing import Any, ClassVar, TypeAlias

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from typing_extensions import Self

from hybridrank.common.field_paths import field_values
from hybridrank.connector.mapping.field_types import FieldType, known_fields
from hybridrank.connector.mapping.filter_values import FilterTypes, Unfit, indexed, types_of

__all__ = ["FieldFilter", "Filter", "Test", "check_scalar", "clauses", "kind_of"]

Test: TypeAlias = Callable[[str, Mapping[str, Any]], bool]
"""True if a document, by its id and source, passes."""


_INSTANCE = "instance"


@dataclass(frozen=True)
class Filter(ABC):
    """A condition on documents. Subclasses are frozen dataclasses.

    In JSON and YAML a filter is a mapping of its fields, whose names tell which filter it is: `{field: kind, value: a}`
    is a `Term`. So no two filters may have the same names of fields.
    """

    _subclasses: ClassVar[list[type["Filter"]]] = []

    def __init_subclass__(cls) -> None:
        Filter._subclasses.append(cls)

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The fields of the index that it reads."""

    @abstractmethod
    def clause(self) -> dict[str, Any]:
        """Returns the clause in the query language of OpenSearch and Elasticsearch."""

    @abstractmethod
    def fitted(self, index: str, types: FilterTypes) -> "Filter":
        """Returns the filter with its values converted to the types of the fields. Raises Unfit."""

    @abstractmethod
    def test(self, types: FilterTypes) -> Test:
        """Returns the fitted filter as a function of a document, for the embedded engine."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Reads a mapping as the filter with these fields; an instance, also of an application's own class, stays."""
        if cls is not Filter:
            return handler(source)
        kinds = {each.__name__: each for each in cls._subclasses if not isabstract(each)}
        forms = sorted(map(_form, kinds.values()))
        if same := [name for name, count in Counter(form.partition(": ")[2] for form in forms).items() if count > 1]:
            raise TypeError(f"several filters have the fields {same[0]}, which must tell them apart")
        return core_schema.tagged_union_schema(
            {
                _INSTANCE: core_schema.is_instance_schema(Filter),
                **{name: handler.generate_schema(each) for name, each in kinds.items()},
            },
            lambda value: _kind(kinds, value),
            custom_error_type="filter",
            custom_error_message=f"a filter has the fields of one of {'; '.join(forms)}",
        )


def _kind(kinds: Mapping[str, type[Filter]], value: object) -> str | None:
    """Returns the kind with all required fields given and the fewest given fields unknown."""
    if isinstance(value, Filter):
        return _INSTANCE
    if not isinstance(value, Mapping):
        return None
    unknown = {
        name: len(set(value) - {each.name for each in fields(kind)})
        for name, kind in kinds.items()
        if set(value) >= {each.name for each in fields(kind) if each.default is MISSING}
    }
    return min(unknown, key=unknown.__getitem__, default=None)


def _form(kind: type[Filter]) -> str:
    return f"{kind.__name__}: {', '.join(each.name for each in fields(kind))}"


@dataclass(frozen=True)
class FieldFilter(Filter):
    """A filter by the values of one field: a document passes if one of them does."""

    field: str

    def __post_init__(self) -> None:
        if not isinstance(self.field, str) or not self.field or "*" in self.field:
            raise ValueError(f"{type(self).__name__} takes the name of one field, not {self.field!r}")

    @abstractmethod
    def converted(self, type_: FieldType, where: str) -> Self:
        """Returns the filter with its values as a field of the type holds them. `where` names the field in errors.

        Raises Unfit for a value that no such field holds, because a server would find nothing and report no error.
        """

    @abstractmethod
    def test_value(self, type_: FieldType) -> Callable[[Any], bool]:
        """Returns the converted filter as a function of one indexed value of the field, for the embedded engine."""

    @property
    def names(self) -> tuple[str, ...]:
        """The field."""
        return (self.field,)

    def fitted(self, index: str, types: FilterTypes) -> "FieldFilter":
        """Returns the filter for the type of its field. Raises Unfit if the field has none or several that differ."""
        where = f"field {self.field!r} of index {index!r}"
        by_type = types_of(self.field, types)
        if not by_type:
            raise Unfit(f"index {index!r} has no field {self.field!r} to filter by; {known_fields(self.field, types)}")
        found = {type_: self._by_type(type_, where) for type_ in by_type}
        if len(set(found.values())) > 1:
            kinds = ", ".join(f"{type_.name} in {concrete!r}" for type_, concrete in by_type.items())
            raise Unfit(f"{where} is {kinds}: the filter cannot mean the same in all; search them one by one")
        return next(iter(found.values()))

    def _by_type(self, type_: FieldType, where: str) -> "FieldFilter":
        if type_.kind == "none":
            raise Unfit(f"{where} is of type {type_.name}, which has no values to filter by{type_.hint}")
        if type_.kind == "text":
            if not type_.whole_values:
                raise Unfit(
                    f"{where} is analysed text, which holds single words, and a filter compares whole values; write the"
                    " values into a keyword field too (or a subfield of type keyword), and filter by that"
                )
            whole = replace(self, field=type_.whole_values)
            return whole.converted(FieldType("keyword", type_.ignore_above), where)
        return self.converted(type_, where)

    def test(self, types: FilterTypes) -> Test:
        """Returns a function that tests every indexed value of the field; `_id` is the id of the document."""
        (type_,) = types_of(self.field, types)
        holds = self.test_value(type_)
        if self.field == "_id":
            return lambda doc_id, _: holds(doc_id)
        return lambda _, source: any(map(holds, indexed(field_values(source, self.field), type_)))


def clauses(filters: Sequence[Filter]) -> list[dict[str, Any]]:
    """Returns the filters as query clauses; all must hold."""
    return [each.clause() for each in filters]


def check_scalar(each: FieldFilter, value: object, hint: str) -> None:
    """Raises ValueError for values that no engine can compare; a request refuses NaN and half surrogate pairs."""
    if not isinstance(value, (str, int, float)):
        name = f"{type(each).__name__} of field {each.field!r}"
        raise ValueError(f"{name} takes a string, a number or a boolean, not {kind_of(value)}; {hint}")


def kind_of(value: object) -> str:
    """Returns the type of a value, for an error."""
    return "None" if value is None else f"a {type(value).__name__}"
