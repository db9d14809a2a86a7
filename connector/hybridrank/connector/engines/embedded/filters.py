"""Filters over documents in memory, by the types that a server's mapping would have."""

from collections.abc import Callable, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hybridrank.connector.engines.mapping.field_types import FieldType
from hybridrank.connector.engines.mapping.filter_fitting import FilterTypes, as_number, as_word, is_indexed, types_of
from hybridrank.connector.passages import field_values
from hybridrank.connector.queries.filters import bounds
from hybridrank.connector.types import Filter, Not, Range, Term, Terms

__all__ = ["passing"]

Mask: TypeAlias = NDArray[np.bool_]
_Passes: TypeAlias = Callable[[str, Mapping[str, Any]], bool]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"gte": ge, "lte": le, "gt": gt, "lt": lt}


def passing(
    filters: Sequence[Filter], doc_ids: Sequence[str], sources: Sequence[Mapping[str, Any]], types: FilterTypes
) -> Mask:
    """Returns (n,): True where every filter, fitted to the types, holds for the document."""
    if not filters:
        return np.ones(len(sources), dtype=np.bool_)
    tests = [_test(each, types) for each in filters]
    documents = zip(doc_ids, sources, strict=True)
    return np.fromiter((all(test(*each) for test in tests) for each in documents), dtype=np.bool_)


def _test(each: Filter, types: FilterTypes) -> _Passes:
    if isinstance(each, Not):
        inner = _test(each.filter, types)
        return lambda doc_id, source: not inner(doc_id, source)
    (type_,) = types_of(each.field, types)
    field, holds = each.field, _holds(each, type_)
    if field == "_id":
        return lambda doc_id, _: holds(doc_id)
    return lambda _, source: any(holds(value) for value in _indexed(field_values(source, field), type_))


def _holds(each: Term | Terms | Range, type_: FieldType) -> Callable[[Any], bool]:
    match each:
        case Term(_, value):
            return set(_indexed([value], type_)).__contains__
        case Terms(_, values):
            return set(_indexed(values, type_)).__contains__
        case Range():
            limits = [(_COMPARE[name], *_indexed([bound], type_)) for name, bound in bounds(each).items()]
            return lambda value: all(compare(value, bound) for compare, bound in limits)


def _indexed(values: Sequence[Any], type_: FieldType) -> list[Any]:
    """Returns the values as an index of that type compares them, without those that it does not index."""
    match type_.kind:
        case "number":
            return [float(number) for value in values if (number := as_number(value)) is not None]
        case "boolean":
            return [value in (True, "true") for value in values if isinstance(value, (bool, str)) and value != ""]
        case _:
            words = (as_word(value) for value in values if isinstance(value, (str, int, float)))
            return [word for word in words if is_indexed(word, type_)]
