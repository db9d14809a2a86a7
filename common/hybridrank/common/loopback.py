"""Hosts that are this machine: traffic to them stays on it, so it needs no proxy and no TLS."""

from ipaddress import ip_address

__all__ = ["is_loopback"]


def is_loopback(host: str) -> bool:
    """Returns True for `localhost` and for loopback addresses, with or without brackets.

    A name below localhost is any host that a resolver says.

    >>> [is_loopback(host) for host in ("localhost", "127.8.8.8", "[::1]", "localhost.evil.org", "api.localhost")]
    [True, True, True, False, False]
    """
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
