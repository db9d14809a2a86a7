"""The little language of `--filter`: `kind=function`, `kind=class,function`, `kind!=module`, `depth>=2`, `depth<3`."""

import re

from connector.types import Filter, Not, Range, Scalar, Term, Terms
from hybridrank.choices import FILTER_SYNTAX

__all__ = ["parse"]

_FORM = re.compile(r"^(?P<field>[\w.@-]+)(?P<operator>!=|>=|<=|=|>|<)(?P<value>.+)$")
_BOUNDS = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt"}


def parse(text: str) -> Filter:
    """One filter. Raises ValueError saying which forms there are.

    >>> parse("depth>=2")
    Range(field='depth', gte=2, lte=None, gt=None, lt=None)
    """
    form = _FORM.match(text.strip())
    if form is None:
        raise ValueError(f"filter {text!r} is none of {FILTER_SYNTAX}")
    field, operator, value = form["field"], form["operator"], form["value"]
    if operator in _BOUNDS:
        return Range(field, **{_BOUNDS[operator]: _scalar(value)})
    values = tuple(_scalar(each) for each in value.split(","))
    found: Filter = Term(field, values[0]) if len(values) == 1 else Terms(field, values)
    return Not(found) if operator == "!=" else found


def _scalar(text: str) -> Scalar:
    if text in ("true", "false"):
        return text == "true"
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text
