"""Paths of requests to a server: names become parts of a path, and no name can change the path. Pure."""

from urllib.parse import quote

from hybridrank.connector.engines.index_names import expression_problem
from hybridrank.connector.errors import EngineError

__all__ = ["index_path", "url_path"]


def url_path(*parts: str) -> str:
    """Returns the path of these parts, percent-encoded except `,` and `*`, which separate and match names.

    Raises EngineError for a part that is empty or changes the path.

    >>> url_path("_index_template", "a/b?c#d%2f")
    '/_index_template/a%2Fb%3Fc%23d%252f'
    """
    if refused := [part for part in parts if part in ("", ".", "..")]:
        raise EngineError(f"{refused[0]!r} is not a name", reason="bad_name")
    return "".join(f"/{quote(part, safe=',*')}" for part in parts)


def index_path(expression: str, *parts: str) -> str:
    """Returns the path of an index, alias, pattern or list of them, plus `parts`. Raises EngineError for other names.

    >>> index_path("<logs-{now/d}>,europe:shop", "_search")
    '/%3Clogs-%7Bnow%2Fd%7D%3E,europe%3Ashop/_search'
    """
    if problem := expression_problem(expression):
        raise EngineError(f"index {problem}", reason="bad_name")
    return url_path(expression, *parts)
