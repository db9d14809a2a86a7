"""Fits a query to the fields of an index; engines return no hits and no error for a misspelt field. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from hybridrank.connector.mapping.encoders import vector_problem, warn_of_missing_note
from hybridrank.connector.mapping.fields import Fields, absent, without_vectors
from hybridrank.connector.mapping.filter_values import Unfit
from hybridrank.connector.queries.retrievers import Query

__all__ = [
    "PROBLEMS",
    "as_sent",
    "encoder_problem",
    "filter_problem",
    "problem",
    "unsearched",
    "warn_of_query",
    "with_fields",
]

_NAMED = 5  # indices without a field that a message names: a pattern may match hundreds

AnyQuery = TypeVar("AnyQuery", bound=Query)


def unsearched(queries: Sequence[Query], fields: Fields) -> str:
    """Returns a sentence with the indices that do not have a query's vector field; empty if all have it."""
    wanted = [name for query in queries if (name := with_fields(query, fields).compared[0])]
    lacking = [index for index in fields.indices for name in wanted if name not in fields.encoders[index]]
    if len(fields.indices) == 1 or not lacking:
        return ""
    more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    return f"{', '.join(lacking[:_NAMED])}{more}: no vectors in the field {wanted[0]!r}"


def with_fields(query: AnyQuery, fields: Fields) -> AnyQuery:
    """Returns the query with what it takes from the index; no hit includes vectors."""
    return replace(query.fitted(fields), source_excludes=without_vectors(query.source_excludes, fields))


def problem(index: str, fields: Fields, query: Query) -> str:
    """Returns a sentence on the query's field that does not fit the index; empty if all fit."""
    query = with_fields(query, fields)
    names = [*query.searched(fields), *(name for each in query.filters for name in each.names)]
    return absent(index, fields, names) or query.mismatch(index, fields)


def filter_problem(index: str, fields: Fields, query: Query) -> str:
    """Returns a sentence on the filter that cannot work in the index; empty if all can."""
    try:
        as_sent(query, index, fields)
    except Unfit as unfit:
        return str(unfit)
    return ""


def as_sent(query: AnyQuery, index: str, fields: Fields) -> AnyQuery:
    """Returns the query with its fields and filter values, after `problem` and `filter_problem` have passed."""
    filters = tuple(each.fitted(index, fields.filtered) for each in query.filters)
    return replace(with_fields(query, fields), filters=filters)


def encoder_problem(index: str, fields: Fields, query: Query) -> str:
    """Returns a sentence if the index's vectors are from another encoder than the query's; empty if they are not.

    A caller's own vector has no known encoder and cannot be checked.
    """
    path, encoder = with_fields(query, fields).compared
    return vector_problem(index, fields, path, encoder) if encoder else ""


def warn_of_query(engine: str, index: str, fields: Fields, query: Query) -> None:
    """Logs that an index does not note the encoder of the vectors that the query is compared with."""
    path, encoder = with_fields(query, fields).compared
    if encoder:
        warn_of_missing_note(engine, index, fields, path, encoder)


PROBLEMS = {"wrong_encoder": encoder_problem, "bad_field": problem, "bad_filter": filter_problem}
"""What can be wrong with a query, in the order of the checks, by the reason of the error."""
