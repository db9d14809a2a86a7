"""Hosts that are this machine: traffic to them stays on it, so it needs no proxy and no TLS."""

from ipaddress import ip_address

__all__ = ["is_loopback"]


def is_loopback(host: str) -> bool:
    """Returns True for `localhost`, names below it, and loopback addresses, with or without brackets.

    >>> [is_loopback(host) for host in ("localhost", "127.8.8.8", "[::1]", "localhost.evil.org")]
    [True, True, True, False]
    """
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
