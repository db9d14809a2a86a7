"""The language of `--filter`: `kind=function`, `kind=class,function`, `kind!=module`, `depth>=2`, `depth<3`.

A value stays a string: the type of the field in the index decides if `007` is a word or a number. Only numeric bounds
become numbers, so that numbers are never compared in alphabetical order.
"""

import re

from hybridrank.cli.options.choices import FILTER_SYNTAX
from hybridrank.connector.queries.filters import Filter, Not, Range, Term, Terms

__all__ = ["parse"]

_FORM = re.compile(r"^(?P<field>[\w.@-]+)(?P<operator>!=|>=|<=|=|>|<)(?P<value>.+)$")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,2})?")
_BOUNDS = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}


def parse(text: str) -> Filter:
    """Returns one filter. Raises ValueError with the valid forms.

    >>> parse("depth>=2")
    Range(field='depth', gte=2, lte=None, gt=None, lt=None)
    """
    form = _FORM.match(text.strip())
    if form is None:
        raise ValueError(f"filter {text!r} is none of {FILTER_SYNTAX}")
    field, operator, value = form["field"], form["operator"], form["value"]
    if operator in _BOUNDS:
        return Range(field, **{_BOUNDS[operator]: _bound(value)})
    values = tuple(value.split(","))
    found: Filter = Term(field, values[0]) if len(values) == 1 else Terms(field, values)
    return Not(found) if operator == "!=" else found


def _bound(text: str) -> float | str:
    if not _NUMBER.fullmatch(text):
        return text
    return int(text) if text.lstrip("-").isdecimal() else float(text)
