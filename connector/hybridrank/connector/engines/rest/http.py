"""HTTP settings of every request to a cluster: certificates, credentials, proxy, and no redirects."""

import ssl
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from hybridrank.common.error_text import os_problem
from hybridrank.common.errors import HybridrankError
from hybridrank.common.loopback import is_loopback
from hybridrank.connector.engines.rest.addresses import Address, parse_address
from hybridrank.connector.errors import BadAccess

__all__ = ["Access", "Redirected", "open_session", "proxy_of"]


class Redirected(HybridrankError, aiohttp.ClientError):
    """The server redirects elsewhere. Credentials and documents do not follow."""


@dataclass(frozen=True, slots=True)
class Access:
    """Access to a cluster: its nodes, the authorization header, and the trusted certificates."""

    address: Address
    headers: dict[str, str] = field(repr=False)
    context: ssl.SSLContext | None
    timeout_s: float

    @classmethod
    def to(
        cls,
        address: str,
        *,
        auth: tuple[str, str] | None = None,
        api_key: str | None = None,
        ca_certs: str | None = None,
        verify_certs: bool = True,
        timeout_s: float = 10.0,
    ) -> "Access":
        """Builds it from the arguments of an engine. Raises BadAddress and BadAccess."""
        parsed = parse_address(address)
        headers = _authorization(auth or parsed.auth, api_key)
        return cls(parsed, headers, _tls_context(parsed, ca_certs, verify_certs=verify_certs), timeout_s)

    def session(self, node: str) -> aiohttp.ClientSession:
        """Returns a session for one node, in the running event loop."""
        return open_session(node, headers=self.headers, context=self.context)


def open_session(
    url: str, *, headers: Mapping[str, str], context: ssl.SSLContext | None, connections: int = 10, **options: Any
) -> aiohttp.ClientSession:
    """Returns a session for the node at `url`, in the running event loop; `options` are ClientSession's own."""
    no_redirects = aiohttp.TraceConfig()
    no_redirects.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(
        headers=headers,
        skip_auto_headers=("accept", "accept-encoding", "user-agent"),
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=connections, ssl=context or True),
        proxy=proxy_of(url),
        trace_configs=[no_redirects],
        **options,
    )


def _authorization(auth: tuple[str, str] | None, api_key: str | None) -> dict[str, str]:
    """Returns the header for a user and password, or for an API key: encoded, or as `id:key`."""
    if api_key is None:
        return {} if auth is None else {"authorization": f"Basic {_encoded(':'.join(auth))}"}
    if auth is not None:
        raise BadAccess("an engine takes a user and password or an API key, not both")
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key or not api_key:
        raise BadAccess("the engine's API key is empty or has characters that a header cannot carry")
    return {"authorization": f"ApiKey {_encoded(api_key) if ':' in api_key else api_key}"}


def _tls_context(address: Address, ca_certs: str | None, *, verify_certs: bool) -> ssl.SSLContext | None:
    """Returns the TLS context; None for plain HTTP."""
    if not address.url.startswith("https"):
        return None
    try:
        context = ssl.create_default_context(cafile=ca_certs)
    except OSError as error:
        raise BadAccess(f"ca_certs {ca_certs!r} is not a file of certificates in PEM: {os_problem(error)}") from error
    if not verify_certs:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def proxy_of(url: str) -> str | None:
    """Returns the proxy of a URL from http_proxy, https_proxy and no_proxy; never one for this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxy = urllib.request.getproxies().get(parts.scheme)
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


async def _refuse_redirect(
    _session: aiohttp.ClientSession, _context: SimpleNamespace, params: aiohttp.TraceRequestRedirectParams
) -> None:
    location = urlsplit(params.response.headers.get("location", ""))
    params.response.close()
    target = f"{location.scheme}://{location.hostname}" if location.hostname else location.path
    raise Redirected(f"it redirects to {target}; give the engine's own address, one without a login page before it")


def _encoded(text: str) -> str:
    return b64encode(text.encode()).decode()
