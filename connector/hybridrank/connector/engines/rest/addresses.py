"""The address of a cluster, parsed only here, so that the first probe and the client use the same ports."""

import re
from base64 import b64decode
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import unquote

from hybridrank.connector.errors import BadAddress

__all__ = ["Address", "parse_address"]

_PORTS = {"http": 80, "https": 443}
_FORM = "is neither embedded:PATH nor http(s)://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][/PATH]"
_HOST = re.compile(r"(?P<host>[^\s:\[\]%]+|\[[^\]\s]+\])(:(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Address:
    """One cluster: `nodes` are SCHEME://HOST:PORT[/PATH]; each can replace one that does not answer.

    `auth` is (user, password) if the address has them; it is never printed. `has_port` is False if a port is missing
    and the scheme's default is used.
    """

    nodes: tuple[str, ...]
    auth: tuple[str, str] | None = field(default=None, repr=False)
    has_port: bool = True

    @property
    def url(self) -> str:
        """All nodes in one string that `parse_address` can read, without credentials."""
        first, *others = self.nodes
        scheme, _, rest = first.partition("://")
        host, slash, path = rest.partition("/")
        hosts = [host, *(each.partition("://")[2].partition("/")[0] for each in others)]
        return f"{scheme}://{','.join(hosts)}{slash}{path}"


def parse_address(text: str) -> Address:
    """Reads `http(s)://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][/PATH]`, or the Cloud id of an Elastic deployment.

    A missing port is the scheme's: 80 or 443. User and password are percent-decoded. Raises BadAddress, whose message
    contains no credentials.

    >>> parse_address("https://reader:p%40ss@a,b:9201/search/").nodes
    ('https://a:443/search', 'https://b:9201/search')
    """
    scheme, mark, rest = (_cloud_url(text.strip()) or text.strip()).partition("://")
    scheme = scheme.lower()
    if not mark or scheme not in _PORTS:
        raise _no_such_form(text)
    authority, tail = re.fullmatch(r"([^/?#]*)(.*)", rest, re.DOTALL).groups()  # type: ignore[union-attr]
    if "@" in tail:
        raise BadAddress(
            f"the user or password in the engine's address holds {tail[0]!r}; write it as %{ord(tail[0]):X}"
        )
    if "?" in tail or "#" in tail:
        raise BadAddress(f"engine address {_shown(text)!r} ends in a query or a fragment, which means nothing there")
    userinfo, at, hosts = authority.rpartition("@")
    found = [_HOST.fullmatch(each.strip()) for each in hosts.split(",")]
    if not all(found):
        raise _no_such_form(text)
    nodes = [_node(match, scheme, text) for match in found if match]
    return Address(
        tuple(f"{scheme}://{each}{tail.rstrip('/')}" for each in nodes),
        _credentials(userinfo) if at else None,
        all(match and match["port"] for match in found),
    )


def _node(match: re.Match[str], scheme: str, text: str) -> str:
    """Returns HOST:PORT of one node, with the host as it is sent."""
    host, port = match["host"], int(match["port"] or _PORTS[scheme])
    try:
        host = f"[{IPv6Address(host[1:-1])}]" if host.startswith("[") else host.encode("idna").decode()
    except (AddressValueError, UnicodeError) as error:
        raise BadAddress(f"engine address {_shown(text)!r}: {host!r} is not the name or address of a host") from error
    if not 0 < port < 65536:
        raise BadAddress(f"engine address {_shown(text)!r}: there is no port {port}; ports go from 1 to 65535")
    return f"{host}:{port}"


def _credentials(userinfo: str) -> tuple[str, str]:
    user, colon, password = userinfo.partition(":")
    if not (user and colon):
        raise BadAddress(
            "credentials in the address of an engine are USER:PASSWORD@; an API key goes in api_key=, or in"
            " HYBRIDRANK_ENGINE_API_KEY for the command line"
        )
    if "@" in userinfo and "," in userinfo:
        raise BadAddress("user and password come once in an address, before the first host; write @ in them as %40")
    try:
        decoded = unquote(user, errors="strict"), unquote(password, errors="strict")
    except UnicodeDecodeError:
        raise BadAddress("the user or password in the engine's address is not UTF-8 once % is decoded") from None
    if ":" in decoded[0]:
        raise BadAddress(
            "the user in the engine's address holds a colon, which HTTP's basic authentication cannot carry"
        )
    return decoded


def _cloud_url(text: str) -> str | None:
    """Returns the endpoint of a Cloud id, NAME:BASE64 of DOMAIN[:PORT]$ELASTICSEARCH$…; None for any other text."""
    try:
        domain, uuid, *_ = b64decode(text.rpartition(":")[2], validate=True).decode("ascii").split("$")
    except ValueError:
        return None
    host, _, port = domain.partition(":")
    return f"https://{uuid}.{host}:{port or _PORTS['https']}" if ":" in text and uuid and host else None


def _no_such_form(text: str) -> BadAddress:
    shown = _shown(text)
    hint = f"; write http://{shown} or https://{shown}" if "://" not in text and "…" not in shown else ""
    repeated = "; the scheme comes once, before the first host" if ",http" in text else ""
    return BadAddress(f"engine address {shown!r} {_FORM}{hint}{repeated}")


def _shown(text: str) -> str:
    """Returns the safe parts of an address: scheme, hosts and path, without any possible credential or key."""
    scheme, mark, rest = text.strip().rpartition("://")
    hosts, slash, path = re.split(r"[?#]", rest.rpartition("@")[2])[0].partition("/")
    known = all(_HOST.fullmatch(each.strip()) for each in hosts.split(","))
    return f"{scheme}{mark}{hosts if known else '…'}{slash}{path}" if scheme.isalpha() or not mark else "…"
