"""Elasticsearch's licence, and the features that it does not include."""

from collections.abc import Awaitable, Callable
from typing import Any

from hybridrank.connector.engines.rest.answers import reading
from hybridrank.connector.errors import EngineError

__all__ = ["LICENCES", "active_licence", "licence_lack"]

LICENCES = ("enterprise", "trial")
"""Licences with fusing retrievers, inference endpoints, and Elastic's other paid features."""


async def active_licence(send: Callable[[str, str], Awaitable[Any]]) -> str:
    """Returns the type of the active licence; empty if there is none, or the server does not know licences."""
    try:
        answer = await send("GET", "/_license")
    except EngineError as error:
        if not error.status:
            raise
        return ""
    with reading("/_license"):
        return str(answer["license"]["type"]) if answer["license"]["status"] == "active" else ""


def licence_lack(what: str, licence: str) -> str:
    """Returns the reason why a server with this licence has no `what`; empty if it has it.

    >>> licence_lack("the retriever rrf", "basic")
    "the retriever rrf wants an enterprise or trial licence, and this server's is 'basic'"
    """
    if licence in LICENCES:
        return ""
    held = f"this server's is {licence!r}" if licence else "this server tells of none"
    return f"{what} wants an enterprise or trial licence, and {held}"
