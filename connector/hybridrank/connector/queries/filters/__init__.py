"""Filters of a search, a file each: a filter is applied exactly, by every engine and for every retriever."""

from hybridrank.connector.queries.filters.base import FieldFilter, Filter, clauses
from hybridrank.connector.queries.filters.negation import Not
from hybridrank.connector.queries.filters.range import Range
from hybridrank.connector.queries.filters.term import Term
from hybridrank.connector.queries.filters.terms import Terms

__all__ = ["FieldFilter", "Filter", "Not", "Range", "Term", "Terms", "clauses"]
