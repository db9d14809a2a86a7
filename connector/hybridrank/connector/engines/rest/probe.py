"""Detects the engine at an address, once, by one or two plain GET requests."""

import asyncio

import aiohttp

from hybridrank.connector.engines.rest.causes import Answer, Kind, kind_of, no_connection, read, refused
from hybridrank.connector.engines.rest.http import Access
from hybridrank.connector.errors import EngineUnreachable

__all__ = ["ask"]

_PATHS = ("/_nodes/_local/http", "/")  # some distributions have no root page; some users may not read nodes
_MAX_BYTES = 1 << 20  # of an answer; a node's answer has a few kilobytes


async def ask(access: Access) -> Kind:
    """Returns the kind of the first node that answers. Raises the most informative EngineUnreachable of the nodes."""
    errors = []
    for node in access.address.nodes:
        try:
            async with access.session(node) as session:
                return await _ask(node, session, access)
        except EngineUnreachable as error:
            errors.append(error)
        except (aiohttp.ClientError, OSError, ValueError, asyncio.TimeoutError) as error:
            errors.append(no_connection(node, error, has_port=access.address.has_port))
            errors[-1].__cause__ = error
    raise next((each for each in errors if each.status), errors[-1])


async def _ask(node: str, session: aiohttp.ClientSession, access: Access) -> Kind:
    answers = []
    for path in _PATHS:
        answers.append(await _get(session, node + path, access.timeout_s))
        if kind := kind_of(answers[-1]):
            return kind
        if answers[-1].status not in (403, 404, 405):
            break
    unexplained = answers[-1].status in (404, 405)
    raise refused(node, answers[0] if unexplained else answers[-1], credentials=bool(access.headers))


async def _get(session: aiohttp.ClientSession, url: str, timeout_s: float) -> Answer:
    async with session.get(url, timeout=aiohttp.ClientTimeout(total=timeout_s)) as response:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > _MAX_BYTES:
                break
        return Answer(response.status, response.headers.get("X-Elastic-Product", ""), read(bytes(body)))
