"""The two cluster settings that ml-commons requires before it calls a sidecar, and the undoing of their change.

A change is recorded in the `_meta` of a component template, which can hold any JSON: the persistent value before, the
effective value, and the new value.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = [
    "PRIVATE_IP",
    "TRUSTED",
    "ClusterSettings",
    "Record",
    "is_private",
    "is_trusted",
    "trusted_pattern",
    "undone",
    "wanted_settings",
]

TRUSTED = "plugins.ml_commons.trusted_connector_endpoints_regex"
PRIVATE_IP = "plugins.ml_commons.connector.private_ip_enabled"

# Addresses that ml-commons calls private, besides loopback, link-local and any-local.
_PRIVATE = tuple(ipaddress.ip_network(each) for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"))


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Values of TRUSTED (a list) and PRIVATE_IP (a boolean): the persistent value, if set, and the effective one."""

    persistent: Mapping[str, Any]
    effective: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """Values before a change (`persistent`, None if it was not set; `effective`) and the values that it `set`."""

    persistent: Mapping[str, Any] = field(default_factory=dict)
    effective: Mapping[str, Any] = field(default_factory=dict)
    set: Mapping[str, Any] = field(default_factory=dict)

    @property
    def patterns(self) -> list[str]:
        """The trusted patterns that hybridrank added."""
        return [each for each in self.set.get(TRUSTED, []) if each not in self.effective.get(TRUSTED, [])]

    def body(self) -> dict[str, Any]:
        """The body of `PUT _component_template`."""
        return {"template": {}, "_meta": {"hybridrank": asdict(self)}}


def wanted_settings(
    urls: Sequence[str], pattern: str, *, private: bool, settings: ClusterSettings, record: Record
) -> tuple[dict[str, Any], Record]:
    """Returns the settings to change so that ml-commons may call each of `urls`, and the record of the change.

    A pattern is added only if no existing one matches all of the URLs; all other values stay.
    """
    theirs = [each for each in settings.effective[TRUSTED] if each not in record.patterns]
    trusted = theirs if all(is_trusted(url, theirs) for url in urls) else [*theirs, pattern]
    wanted: dict[str, Any] = {TRUSTED: trusted}
    if private:
        wanted[PRIVATE_IP] = True
    change = {name: value for name, value in wanted.items() if value != settings.effective[name]}
    new = {name: value for name, value in change.items() if name not in record.set}
    return change, Record(
        {**{name: settings.persistent.get(name) for name in new}, **record.persistent},
        {**{name: settings.effective[name] for name in new}, **record.effective},
        {**record.set, **change},
    )


def undone(settings: ClusterSettings, record: Record) -> dict[str, Any]:
    """Returns the settings that undo the recorded change; None clears one. Later changes by others are kept."""
    back: dict[str, Any] = {}
    if TRUSTED in record.set:
        theirs = [each for each in settings.effective[TRUSTED] if each not in record.patterns]
        back[TRUSTED] = record.persistent[TRUSTED] if theirs == record.effective[TRUSTED] else theirs
    if PRIVATE_IP in record.set and settings.effective[PRIVATE_IP] is True:
        back[PRIVATE_IP] = record.persistent[PRIVATE_IP]
    return back


def trusted_pattern(url: str) -> str:
    """Returns a pattern for every path below `url`; ml-commons requires a pattern to match the whole URL.

    >>> trusted_pattern("http://sidecar:8080")
    '^http://sidecar:8080/.*$'
    """
    return f"^{re.escape(url)}/.*$"


def is_trusted(url: str, patterns: Iterable[str]) -> bool:
    """Returns True if a pattern matches the whole `url`; a partial match does not count.

    >>> is_trusted("http://sidecar:8080/v1/rerank", ["^http://sidecar:8080"])
    False
    """
    return any(_matches(pattern, url) for pattern in patterns)


def is_private(addresses: Iterable[str]) -> bool:
    """Returns True if ml-commons refuses one of these IP addresses unless PRIVATE_IP is on.

    >>> is_private(["172.16.0.9"]), is_private(["8.8.8.8"])
    (True, False)
    """
    found = [ipaddress.ip_address(each) for each in addresses]
    return any(
        each.is_loopback or each.is_link_local or each.is_unspecified or any(each in network for network in _PRIVATE)
        for each in found
    )


def _matches(pattern: str, url: str) -> bool:
    try:
        return re.fullmatch(pattern, url) is not None
    except re.error:
        return False  # Java's regex syntax has a few features that Python's does not
