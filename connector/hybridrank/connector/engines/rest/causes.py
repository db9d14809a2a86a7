"""Turns exceptions and refusals of an engine into sentences with the cause and what to do. Pure."""

import asyncio
import json
import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from hybridrank.connector.engines.rest.json_body import parsed, text_of
from hybridrank.connector.errors import EngineError, EngineUnreachable, IndexMissing

__all__ = ["Answer", "Kind", "kind_of", "no_connection", "read", "refusal", "refused", "too_many_clauses"]

Kind: TypeAlias = Literal["opensearch", "elasticsearch"]

_MOST_SAID = 300  # characters of the engine's text in our message


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to one GET: the status, the product that the header names, and the body as JSON or text."""

    status: int
    product: str = ""
    body: Any = field(default=None, repr=False)


def kind_of(answer: Answer) -> Kind | None:
    """Returns the engine that answered `GET /_nodes/_local/http` or `GET /`; None for any other server."""
    if answer.status != 200 or not isinstance(answer.body, dict):
        return None
    version = answer.body.get("version")
    if isinstance(version, dict) and (answer.product or version.get("distribution") == "opensearch"):
        return None if version.get("build_flavor") == "serverless" else _by_product(answer.product)
    return _by_product(answer.product) if isinstance(answer.body.get("nodes"), dict) else None


def _by_product(product: str) -> Kind:
    return "elasticsearch" if product == "Elasticsearch" else "opensearch"


_REFUSALS = {
    401: ("refused", "{url} asks for credentials; write https://USER:PASSWORD@HOST:PORT, or give api_key="),
    403: (
        "forbidden",
        "{url} forbids the caller to ask which engine this is; grant the privilege cluster:monitor/main",
    ),
    404: ("not_an_engine", "no engine at this path: {url}; check what follows the host"),
    405: ("not_an_engine", "no engine at this path: {url}; check what follows the host"),
    410: (
        "serverless",
        "{url} is a serverless project; hybridrank works with clusters of OpenSearch and Elasticsearch",
    ),
    429: ("busy", "{url} is too busy; try again in a moment"),
    502: ("proxy", "the proxy at {url} cannot reach the engine behind it; check that the engine runs"),
    503: ("busy", "{url} is too busy, or not ready yet; try again in a moment"),
    504: ("proxy", "the proxy at {url} waits in vain for the engine behind it; check that the engine runs"),
}
_WRONG_CREDENTIALS = "{url} does not accept these credentials; check the user and password, or the API key"


def refused(url: str, answer: Answer, *, credentials: bool) -> EngineUnreachable:
    """Returns the error for an answer that is not an engine's, by status; `credentials` is True if we sent some."""
    reason, message = _REFUSALS.get(answer.status, ("not_an_engine", "{url} does not answer as an engine does"))
    if answer.status == 401 and credentials:
        message = _WRONG_CREDENTIALS
    if isinstance(answer.body, str) and answer.body.lstrip()[:1] == "<" and reason == "not_an_engine":
        message = "{url} answers with a web page; check that it is the engine's own address"
    text = f"{message.format(url=url)} (HTTP {answer.status}){_said(answer.body)}"
    return EngineUnreachable(text, status=answer.status, reason=reason)


def no_connection(url: str, error: BaseException, *, has_port: bool = True) -> EngineUnreachable:
    """Returns the error for a connection that failed, or broke before an answer."""
    reason, cause, advice = _cause(error, encrypted=url.startswith("https"))
    if not has_port and reason == "unreachable":
        advice = "the address names no port, and most engines listen on 9200"
    return EngineUnreachable(f"no engine at {url}: {cause}" + (f"; {advice}" if advice else ""), reason=reason)


def _cause(error: BaseException, *, encrypted: bool) -> tuple[str, str, str]:
    """Returns the reason word, the cause, and what to do."""
    text, advice = str(error) or type(error).__name__, ""
    wants_tls = "" if encrypted else "write https:// where it wants TLS"
    import aiohttp  # installed with an engine's client; the rest of this module is for every engine

    from hybridrank.connector.engines.rest.http import Redirected

    match error:
        case Redirected():
            found = "redirected", text
        case aiohttp.ClientConnectorCertificateError() | ssl.SSLCertVerificationError():
            found = "bad_certificate", f"its certificate cannot be verified: {text}"
            advice = "name its authority with ca_certs=, or in HYBRIDRANK_ENGINE_CA_CERTS for the command line"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            found = "unreachable", f"no TLS connection: {text}"
            advice = "write http:// where it does not speak TLS"
        case asyncio.TimeoutError():
            found = "timeout", "it did not answer in time"
            advice = "check the host and port, and the firewalls between"
        case aiohttp.ClientHttpProxyError() | aiohttp.ClientProxyConnectionError():
            found = "proxy", f"the proxy of the environment failed: {text}"
            advice = "name hosts that are reached without it in no_proxy"
        case aiohttp.ClientConnectorError():
            code = error.os_error.errno
            found = "unreachable", os.strerror(code) if code and code > 0 else error.os_error.strerror or text
            advice = "check the name of the host" if isinstance(error, aiohttp.ClientConnectorDNSError) else ""
        case aiohttp.ClientPayloadError():
            found = "unreachable", "the connection broke in the middle of an answer"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            found, advice = ("unreachable", f"it closes the connection ({text})"), wants_tls
        case aiohttp.ClientResponseError():
            found, advice = ("not_an_engine", "it does not answer in HTTP"), wants_tls
        case _:
            found = "unreachable", text
    return *found, advice


def _said(body: Any) -> str:
    """Returns the engine's own reason, if it gave one."""
    error = body.get("error", body.get("message", body.get("Message"))) if isinstance(body, dict) else None
    reason = error.get("reason") if isinstance(error, dict) else error
    return f"; it says: {reason[:_MOST_SAID]}" if isinstance(reason, str) and reason else ""


def read(raw: str | bytes) -> Any:
    """Returns a body as JSON if it is JSON, as text otherwise."""
    text = raw if isinstance(raw, str) else text_of(raw)
    try:
        return parsed(text)
    except ValueError:
        return text


def refusal(index_or_path: str, status: int, body: Any) -> EngineError:
    """Returns the engine's own error answer as one of our errors."""
    error = body.get("error", body) if isinstance(body, Mapping) else None
    told = error if isinstance(error, Mapping) else {"reason": error if isinstance(error, str) else None}
    reason = str(told.get("type") or "engine_error")
    said = _with_cause(str(told.get("reason") or told.get("type") or "no reason given"), told)
    if reason == "index_not_found_exception":
        return IndexMissing(f"{said}; `hybridrank index` creates an index", status=status, reason="index_missing")
    if problem := too_many_clauses(json.dumps(body)):
        return EngineError(f"{index_or_path}: {problem}", status=status, reason="too_many_clauses")
    return EngineError(f"{index_or_path}: HTTP {status}: {said}", status=status, reason=reason)


def _with_cause(said: str, told: Mapping[str, Any]) -> str:
    """Adds the first root cause: of a query inside another, servers say first that the outer one is wrong."""
    causes = told.get("root_cause")
    first = causes[0] if isinstance(causes, list) and causes else None
    cause = str(first.get("reason") or "") if isinstance(first, Mapping) else ""
    return said if cause in said else f"{said}: {cause}"


def too_many_clauses(said: str) -> str:
    """Returns a sentence if a query has too many clauses, from the server's reason; empty otherwise."""
    limit = re.search(r"maxClauseCount is set to (\d+)", said)
    if limit is None:
        return ""
    return (
        f"query_text makes more clauses than the {limit[1]} that the server takes"
        " (indices.query.bool.max_clause_count):"
        " each word in each field is one, and the index's analysis may make several of a word; shorten query_text, or"
        " search fewer fields"
    )
