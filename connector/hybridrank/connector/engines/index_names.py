"""Names of indices that OpenSearch and Elasticsearch accept for searching and creating. Pure.

Every engine follows the same rules, so that an index can move between engines. Servers check names too, but a name is
part of the path of a request: `a/../_cluster` must not reach them.
"""

import re

from hybridrank.common.json_values import text_problem
from hybridrank.connector.errors import EngineError

__all__ = ["check_name", "check_new_name", "expression_problem", "new_name_problem"]

MAX_NAME_BYTES = 255
"""Maximum bytes of a name in UTF-8: the limit of both servers and of file systems."""

_REFUSED = re.compile(r"[\\/*?\"<>|,#:\s\x00-\x1f\x7f]")
_REFUSED_IN_EXPRESSIONS = re.compile(r"[\\/?\"<>|#\s\x00-\x1f\x7f]")
_DATE_MATH = re.compile(r"-?([^<]+:)?<([^<>/?\"#\s\x00-\x1f\x7f]|/[yMwdhHms](?=[-+{}]))+>")


def expression_problem(expression: str) -> str:
    """Returns the reason why no server can resolve this to indices; empty if one can.

    An expression is a name, an alias or a pattern, or several separated by commas; each may be in a remote cluster
    (`europe:logs-*`), an exclusion (`-logs-old`) or date math (`<logs-{now/d}>`).

    >>> expression_problem("shop,europe:logs-*,-logs-old,<logs-{now/d}>")
    ''
    >>> expression_problem("a/../_cluster")
    "'a/../_cluster' has '/', which no index, alias or pattern can have"
    """
    if problem := text_problem(expression):
        return f"{expression!r} {problem}"
    return next(filter(None, map(_part_problem, expression.split(","))), "")


def _part_problem(part: str) -> str:
    if _DATE_MATH.fullmatch(part):
        return ""
    if found := _REFUSED_IN_EXPRESSIONS.search(part):
        return f"{part!r} has {found[0]!r}, which no index, alias or pattern can have"
    if part in ("", ".", ".."):
        return f"{part!r} is not the name of an index, alias or pattern"
    if part.startswith("_") and part != "_all" and ":" not in part:
        return f"{part!r} starts with '_', as no index, alias or pattern but '_all' does"
    return ""


def new_name_problem(name: str, *, lowercase: bool = True) -> str:
    """Returns the reason why no index can have this name; empty if one can. Without `lowercase`, the same for an alias.

    >>> new_name_problem("Shop")
    "'Shop' has uppercase letters, and names of indices are lowercase"
    >>> new_name_problem("Shop", lowercase=False)
    ''
    """
    if problem := text_problem(name):
        return f"{name!r} {problem}"
    if found := _REFUSED.search(name):
        return f'{name!r} has {found[0]!r}; names of indices have no white space and none of \\ / * ? " < > | , # :'
    size = len(name.encode())
    problems = {
        "is not the name of an index": name in ("", ".", ".."),
        "starts with one of - _ +, as no name of an index does": name.startswith(("-", "_", "+")),
        f"has {size} bytes in UTF-8, and names of indices have at most {MAX_NAME_BYTES}": size > MAX_NAME_BYTES,
        "has uppercase letters, and names of indices are lowercase": lowercase and name != name.lower(),
    }
    return next((f"{name!r} {problem}" for problem, holds in problems.items() if holds), "")


def check_name(name: str) -> None:
    """Raises EngineError for anything except the name of an index or an alias: a pattern is not writable."""
    _refuse(new_name_problem(name, lowercase=False))


def check_new_name(name: str) -> None:
    """Raises EngineError for a name with which no index can be created."""
    _refuse(new_name_problem(name))


def _refuse(problem: str) -> None:
    if problem:
        raise EngineError(f"index {problem}", reason="bad_name")
