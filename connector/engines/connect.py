"""Which engine stands behind an address: asked once, by one plain GET."""

import asyncio
import json
import re
import ssl
import urllib.error
import urllib.request
from base64 import b64encode
from contextlib import suppress
from importlib import import_module
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from connector.engines.addresses import node_urls
from connector.engines.base import Engine
from connector.errors import BadAddress, EngineUnreachable

__all__ = ["connect_engine"]

_HOST = re.compile(r"([^:\[\]]+|\[[^\]]+\])(:\d+)?")
_CLASSES = {
    "embedded": ("connector.engines.embedded", "EmbeddedEngine"),
    "opensearch": ("connector.engines.opensearch", "OpenSearchEngine"),
    "elasticsearch": ("connector.engines.elasticsearch", "ElasticsearchEngine"),
}


async def connect_engine(
    address: str, *, ca_certs: str | None = None, verify_certs: bool = True, timeout_s: float = 10.0
) -> Engine:
    """The engine at `embedded:PATH` or `http(s)://[user:password@]host:port[,host:port…]`.

    Several hosts are nodes of one cluster: each takes the place of one that does not answer.
    Raises EngineUnreachable naming the host and the cause, BadAddress for an address of another form, and ImportError
    with the install command when the engine's client is not installed.
    """
    if address.startswith("embedded:"):
        embedded: Engine = _engine_class("embedded")(address.removeprefix("embedded:"))
        return embedded
    parts = urlsplit(address)
    hosts = parts.netloc.rpartition("@")[2]
    if parts.scheme not in ("http", "https") or not all(_HOST.fullmatch(host) for host in hosts.split(",")):
        raise BadAddress(
            f"engine address {_shown(address)!r} is neither embedded:PATH nor http(s)://HOST:PORT[,HOST:PORT…]"
        )
    auth = (parts.username, parts.password or "") if parts.username else None
    url = urlunsplit((parts.scheme, hosts, parts.path.rstrip("/"), "", ""))
    kind = await asyncio.to_thread(
        _ask_any, url, auth=auth, ca_certs=ca_certs, verify_certs=verify_certs, timeout_s=timeout_s
    )
    engine: Engine = _engine_class(kind)(
        url, auth=auth, ca_certs=ca_certs, verify_certs=verify_certs, timeout_s=timeout_s
    )
    return engine


def _ask_any(url: str, **access: Any) -> str:
    """What the first node that answers is; the error of the last when none does."""
    *others, last = node_urls(url)
    for each in others:
        with suppress(EngineUnreachable):
            return _ask(each, **access)
    return _ask(last, **access)


def _ask(
    url: str, *, auth: tuple[str, str] | None, ca_certs: str | None, verify_certs: bool, timeout_s: float
) -> Literal["opensearch", "elasticsearch"]:
    request = urllib.request.Request(f"{url}/_nodes/_local/http")  # noqa: S310  http or https, checked by the caller
    if auth:
        request.add_header("Authorization", f"Basic {b64encode(':'.join(auth).encode()).decode()}")
    context = ssl.create_default_context(cafile=ca_certs)
    if not verify_certs:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(request, timeout=timeout_s, context=context) as response:  # noqa: S310
            product, body = response.headers.get("X-Elastic-Product"), json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            raise EngineUnreachable(
                f"{url} answered HTTP {error.code} ({error.reason}); check the user and password",
                status=error.code,
                reason="refused",
            ) from error
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", error)
        raise EngineUnreachable(f"no engine at {url}: {cause}", reason="unreachable") from error
    if "nodes" not in body:
        raise EngineUnreachable(f"{url} answers, but not as OpenSearch or Elasticsearch do", reason="not_an_engine")
    return "elasticsearch" if product == "Elasticsearch" else "opensearch"


def _shown(address: str) -> str:
    return address.rpartition("@")[2]


def _engine_class(kind: str) -> Any:
    module, name = _CLASSES[kind]
    try:
        return getattr(import_module(module), name)
    except ImportError as error:
        raise ImportError(f"{error}; the {kind} engine needs: pip install 'hybridrank[{kind}]'") from error
