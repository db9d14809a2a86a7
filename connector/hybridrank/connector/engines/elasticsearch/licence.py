"""Which licence an Elasticsearch has, and what it lacks for it."""

from collections.abc import Awaitable, Callable
from typing import Any

from hybridrank.connector.engines.rest.answers import reading
from hybridrank.connector.errors import EngineError

__all__ = ["LICENCES", "active_licence", "licence_lack"]

LICENCES = ("enterprise", "trial")
"""Those with retrievers that fuse, inference endpoints, and what else Elastic sells."""


async def active_licence(send: Callable[[str, str], Awaitable[Any]]) -> str:
    """The type of the licence that is active; empty when there is none, or the server knows nothing of licences."""
    try:
        answer = await send("GET", "/_license")
    except EngineError as error:
        if not error.status:
            raise
        return ""
    with reading("/_license"):
        return str(answer["license"]["type"]) if answer["license"]["status"] == "active" else ""


def licence_lack(what: str, licence: str) -> str:
    """Why a server with this licence has no `what`; empty when it has.

    >>> licence_lack("the retriever rrf", "basic")
    "the retriever rrf wants an enterprise or trial licence, and this server's is 'basic'"
    """
    if licence in LICENCES:
        return ""
    held = f"this server's is {licence!r}" if licence else "this server tells of none"
    return f"{what} wants an enterprise or trial licence, and {held}"
