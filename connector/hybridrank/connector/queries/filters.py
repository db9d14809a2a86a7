"""The filter that every retriever of a search shares, in the query language of OpenSearch and Elasticsearch."""

from collections.abc import Sequence
from typing import Any

from hybridrank.connector.types import Filter, Not, Range, Term, Terms

__all__ = ["bounds", "clause", "clauses"]


def clauses(filters: Sequence[Filter]) -> list[dict[str, Any]]:
    """Returns the filters as query clauses; all must hold."""
    return [clause(each) for each in filters]


def clause(each: Filter) -> dict[str, Any]:
    """Returns one filter as a query clause.

    >>> clause(Not(Range("depth", gte=2)))
    {'bool': {'must_not': [{'range': {'depth': {'gte': 2}}}]}}
    """
    match each:
        case Term(field, value):
            return {"term": {field: value}}
        case Terms(field, values):
            return {"terms": {field: list(values)}}
        case Range():
            return {"range": {each.field: bounds(each)}}
        case Not(inner):
            return {"bool": {"must_not": [clause(inner)]}}


def bounds(each: Range) -> dict[str, Any]:
    """Returns the given bounds, by name.

    >>> bounds(Range("depth", gte=2))
    {'gte': 2}
    """
    found = {"gte": each.gte, "lte": each.lte, "gt": each.gt, "lt": each.lt}
    return {name: bound for name, bound in found.items() if bound is not None}
