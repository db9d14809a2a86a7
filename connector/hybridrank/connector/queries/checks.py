"""Fits a query to the fields of an index; engines return no hits and no error for a misspelt field. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar, cast

from hybridrank.connector.mapping.byte_vectors import as_bytes
from hybridrank.connector.mapping.encoders import vector_problem, warn_of_missing_note
from hybridrank.connector.mapping.fields import (
    PASSAGE_VECTOR,
    Fields,
    absent,
    has_passages,
    parent_of,
    unknown,
    without_vectors,
    wrong_length,
)
from hybridrank.connector.mapping.filter_values import Unfit
from hybridrank.connector.queries.aggregations import aggregated_fields
from hybridrank.connector.queries.retrievers import Bm25Query, KnnQuery, Query
from hybridrank.index_templates.vectors import PASSAGES

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
    wanted = [found.field for query in queries if isinstance(found := with_fields(query, fields), KnnQuery)]
    lacking = [index for index in fields.indices for name in wanted if name not in fields.encoders[index]]
    if len(fields.indices) == 1 or not lacking:
        return ""
    more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
    return f"{', '.join(lacking[:_NAMED])}{more}: no vectors in the field {wanted[0]!r}"


def with_fields(query: AnyQuery, fields: Fields) -> AnyQuery:
    """Adapts the query to the index: adds its fields and boosts if none are named, converts vectors to its storage.

    If the index has passages instead of one vector per document, passages are compared, and hits include the best one.
    No hit includes vectors.
    """
    passages_compared = has_passages(fields)
    excluded = without_vectors(query.source_excludes, fields)
    if isinstance(query, Bm25Query):
        passages = PASSAGES if passages_compared and query.rank_window_size else ""
        wanted = query.fields or fields.boosts
        return cast("AnyQuery", replace(query, fields=wanted, passages=passages, source_excludes=excluded))
    name = fields.vector_path(query.field)
    if passages_compared and name == "vector" and name not in fields.dimensions:
        name = PASSAGE_VECTOR
    held = fields.held.get(name, "float")
    return cast(
        "AnyQuery",
        replace(
            query,
            vector=as_bytes(query.vector) if held == "byte" else query.vector,
            field=name,
            path=parent_of(name, fields, ("nested",)),
            oversample=query.oversample if held == "rounded" else None,
            source_excludes=excluded,
        ),
    )


def problem(index: str, fields: Fields, query: Query) -> str:
    """Returns a sentence on the query's field that does not fit the index; empty if all fit."""
    query = with_fields(query, fields)
    if isinstance(query, Bm25Query):
        wanted = [*query.fields]
    else:
        wanted = [] if query.field in fields.dimensions else [query.field]
    missing = absent(index, fields, [*wanted, *(name for each in query.filters for name in each.names)])
    if isinstance(query, Bm25Query):
        counted = aggregated_fields(query.aggregations)
        return missing or next(filter(None, (unknown(index, fields, name) for name in counted)), "")
    if missing:
        return missing
    return wrong_length(index, fields, query.field, len(query.vector))


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
    if not isinstance(query, KnnQuery) or query.encoder is None:
        return ""
    return vector_problem(index, fields, with_fields(query, fields).field, query.encoder)


def warn_of_query(engine: str, index: str, fields: Fields, query: Query) -> None:
    """Logs that an index does not note the encoder of the vectors that the query is compared with."""
    if isinstance(query, KnnQuery) and query.encoder:
        warn_of_missing_note(engine, index, fields, with_fields(query, fields).field, query.encoder)


PROBLEMS = {"wrong_encoder": encoder_problem, "bad_field": problem, "bad_filter": filter_problem}
"""What can be wrong with a query, in the order of the checks, by the reason of the error."""
