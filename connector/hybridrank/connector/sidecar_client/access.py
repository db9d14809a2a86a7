"""TLS, a client certificate, and an API key, which a sidecar may require from its callers."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from hybridrank.connector.errors import BadAccess
from hybridrank.connector.sidecar_client.targets import is_this_machine

__all__ = ["Access"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Same as the arguments of SidecarClient; any of the files implies `tls`."""

    tls: bool = False
    ca_certs: str | Path | None = None
    client_cert: str | Path | None = None
    client_key: str | Path | None = None
    api_key: str | None = field(default=None, repr=False)
    plaintext_api_key: bool = False

    @property
    def encrypted(self) -> bool:
        """True if the connections use TLS."""
        return self.tls or self.ca_certs is not None or self.client_cert is not None

    def check(self, targets: tuple[str, ...]) -> None:
        """Raises BadAccess for files that do not fit, and for a key that would be sent where others can read it."""
        if (self.client_cert is None) != (self.client_key is None):
            raise BadAccess("client_cert and client_key belong together; give both or neither")
        if self.api_key is None:
            return
        if not (self.api_key.isascii() and self.api_key.isprintable()) or " " in self.api_key or not self.api_key:
            raise BadAccess("the API key is empty or has characters that a header cannot carry; ASCII without spaces")
        if not self.encrypted and not self.plaintext_api_key:
            for target in targets:
                if not is_this_machine(target):
                    raise BadAccess(
                        f"the API key would travel unencrypted to {target}; use TLS (ca_certs, or tls=True), or say"
                        " plaintext_api_key=True on a network that you trust"
                    )

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Returns the metadata of every call."""
        return () if self.api_key is None else (("authorization", f"Bearer {self.api_key}"),)

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Returns channel credentials; None without TLS. Raises OSError for unreadable, BadAccess for invalid files."""
        if not self.encrypted:
            return None
        files = _read(self.ca_certs), _read(self.client_key), _read(self.client_cert)
        try:
            context = ssl.create_default_context(cafile=self.ca_certs)
            if self.client_cert:
                # Without a passphrase here, OpenSSL would ask for one on the terminal.
                context.load_cert_chain(self.client_cert, self.client_key, password="")
        except ssl.SSLError as error:
            raise BadAccess(
                f"ca_certs {self.ca_certs}, client_cert {self.client_cert} and client_key {self.client_key} are not"
                f" authorities, a certificate and its key in PEM: {error}"
            ) from error
        return grpc.ssl_channel_credentials(*files)


def _read(path: str | Path | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
