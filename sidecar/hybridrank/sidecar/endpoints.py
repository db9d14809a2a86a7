"""Addresses and keys of the models that are served elsewhere, from the operator's file; model folders name neither."""

import ssl
import sys
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from hybridrank.common.loopback import is_loopback
from hybridrank.common.settings_file import validated

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["Endpoint", "read_endpoints"]


class Endpoint(BaseModel):
    """The place of a model: the URL before the paths of its API, its key, and the limits of this sidecar.

    `ca` is a PEM file that replaces the system's authorities; a relative path is one beside the file of the endpoints.
    `concurrency` bounds the requests under way, and `timeout_s` each of them, within the deadline of the call.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str
    key: SecretStr = SecretStr("")
    ca: Path | None = None
    concurrency: int = Field(8, ge=1, le=256)
    timeout_s: float = Field(30.0, gt=0, le=600)

    @field_validator("url")
    @classmethod
    def _safe_url(cls, url: str) -> str:
        parts = urlsplit(url)  # raises ValueError for a port that is no number
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or "@" in url:
            raise ValueError(
                "write https://HOST[:PORT][/PATH], without user, query or fragment; key is a line of its own"
            )
        _ = parts.port
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError("http is for this machine alone, because anyone between could read the key; write https")
        return url.rstrip("/")

    @field_validator("key")
    @classmethod
    def _sendable_key(cls, key: SecretStr) -> SecretStr:
        text = key.get_secret_value()
        if not text.isascii() or (text and not text.isprintable()) or " " in text:
            raise ValueError("a key is ASCII without spaces")
        return key

    def ssl_context(self) -> ssl.SSLContext:
        """Returns a context that checks certificates and names; raises OSError for a CA that cannot be read."""
        return ssl.create_default_context(cafile=self.ca)


def read_endpoints(path: Path) -> dict[str, Endpoint]:
    """Returns the endpoints in a TOML file, a table for each remote; raises ValueError, whose message has no key."""
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ValueError(f"remotes: cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise ValueError(f'remotes: {path} is not TOML; write [NAME], url = "https://…" and key = "…"') from None
    return {name: _endpoint(path, name, table) for name, table in tables.items()}


def _endpoint(path: Path, name: str, table: Any) -> Endpoint:
    endpoint = validated(Endpoint, table, f"remotes: {path}: {name}", partial(ValueError))
    if endpoint.ca:
        endpoint = endpoint.model_copy(update={"ca": path.parent / endpoint.ca})
        try:
            endpoint.ssl_context()
        except OSError as error:  # SSLError is one
            raise ValueError(f"remotes: {path}: {name}.ca: {endpoint.ca} is not a PEM file of a CA: {error}") from error
    return endpoint
