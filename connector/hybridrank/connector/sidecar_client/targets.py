"""Addresses of one or several sidecars for gRPC; an address of another kind is refused with an explanation."""

import re
from ipaddress import ip_address

from hybridrank.common.loopback import is_loopback
from hybridrank.connector.errors import BadAddress

__all__ = ["DEFAULT_PORT", "is_this_machine", "parse_targets"]

DEFAULT_PORT = 50051
"""A sidecar's port unless its settings change it."""

_OTHER_RESOLVERS = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract|vsock|passthrough|xds):.+")
_HOST_PORT = re.compile(r"(?P<host>[^\s:/@\[\]]+|\[(?P<ipv6>[^\]]+)\]):(?P<port>\d+)")


def parse_targets(addresses: str) -> tuple[str, ...]:
    """Reads HOST:PORT, or several separated by commas. gRPC names (`dns:///…`, `unix:PATH`, …) are unchanged.

    Raises BadAddress.

    >>> parse_targets("search-1:50051, [::1]:50051")
    ('search-1:50051', '[::1]:50051')
    """
    targets = tuple(each.strip() for each in addresses.split(","))
    if not all(targets):
        raise BadAddress("the sidecar's address has an empty part; write HOST:PORT or HOST:PORT,HOST:PORT")
    for each in targets:
        if not _OTHER_RESOLVERS.fullmatch(each) and (problem := _problem(each)):
            raise BadAddress(f"sidecar address {_shown(each)!r} {problem}")
    return targets


def _shown(target: str) -> str:
    """Returns the target without what may be a secret in a URL: its user and password, or its query."""
    return re.split(r"[?#]", target.rpartition("@")[2])[0]


def _problem(target: str) -> str:
    """Returns the error in HOST:PORT, and the correct form; empty if there is none."""
    if match := _HOST_PORT.fullmatch(target):
        if not 0 < int(match["port"]) < 65536:
            return f"has the port {match['port']}; ports go from 1 to 65535"
        return "" if match["ipv6"] is None or _is_ipv6(match["ipv6"]) else "holds no IPv6 address between its brackets"
    if "://" in target:
        return _of_url(target)
    bare, (host, _, port) = target.strip("[]"), target.rpartition(":")
    if _is_ipv6(bare):
        return f"has no port; write [{bare}]:{DEFAULT_PORT}"
    if _is_ipv6(host) and port.isdigit():
        return f"needs brackets; write [{host}]:{port}"
    no_port = _HOST_PORT.fullmatch(f"{target}:1")
    return f"has no port; write {target}:{DEFAULT_PORT}, the sidecar's default" if no_port else "is not HOST:PORT"


def _of_url(target: str) -> str:
    scheme, _, rest = target.partition("://")
    host = _shown(rest).partition("/")[0]
    named = _HOST_PORT.fullmatch(host)
    if not named:
        written = f"{host or 'HOST'}:{DEFAULT_PORT}"
    else:  # a port after http is that of the HTTP API
        written = f"{named['host']}:{DEFAULT_PORT}" if scheme.lower() in ("http", "https") else host
    tls = ", with ca_certs= or tls=True for TLS" if scheme in ("https", "grpcs") else ""
    return f"is a URL; write HOST:PORT of the gRPC port, such as {written}{tls}"


def _is_ipv6(host: str) -> bool:
    try:
        return ip_address(host).version == 6
    except ValueError:
        return False


def is_this_machine(target: str) -> bool:
    """Returns True if HOST:PORT, SCHEME:///HOST:PORT or unix:PATH stays inside this machine."""
    if target.startswith("unix"):
        return True
    return is_loopback(re.sub(r"^(ipv4|ipv6):", "", target.rpartition("/")[2]).rpartition(":")[0])
