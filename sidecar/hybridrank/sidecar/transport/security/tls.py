"""TLS for all protocols, with certificates that can be replaced on disk while the server runs.

gRPC and Python's ssl, which the HTTP API uses, request the current certificate at every handshake; open connections
keep theirs. With a client CA, only callers with a certificate signed by it are accepted.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from hybridrank.sidecar.transport.security.expiry import expires_at
from hybridrank.sidecar.transport.security.files import Reloaded


@dataclass(frozen=True)
class _Certificate:
    """One version of the files, checked: the key belongs to the certificate."""

    for_grpc: grpc.ServerCertificateConfiguration
    context: ssl.SSLContext
    expires_at: float | None


class Tls:
    """A certificate chain, its key without passphrase, and optionally the CA of the callers; PEM files.

    Raises ValueError or OSError if they cannot be used at the start; later, the last usable version stays.
    """

    def __init__(self, cert: Path, key: Path, client_ca: Path | None = None) -> None:
        self._cert = cert
        self._key = key
        self._client_ca = client_ca
        self._certificate = Reloaded([path for path in (cert, key, client_ca) if path], self._read)

    @property
    def expires_at(self) -> float | None:
        """The expiry of the current chain, in seconds since the epoch; None if its files do not contain it."""
        return self._certificate.current().expires_at

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """Returns credentials for `add_secure_port`."""
        return grpc.dynamic_ssl_server_credentials(
            self._certificate.current().for_grpc,
            lambda: self._certificate.current().for_grpc,
            require_client_authentication=self._client_ca is not None,
        )

    def ssl_context(self) -> ssl.SSLContext:
        """Returns a context for asyncio and uvicorn; each handshake uses the context of the current files."""
        context = self._read().context

        def take_current(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            connection.context = self._certificate.current().context

        context.sni_callback = take_current
        return context

    def _read(self) -> _Certificate:
        pair = (self._key.read_bytes(), self._cert.read_bytes())
        roots = self._client_ca.read_bytes() if self._client_ca else None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # Without a passphrase here, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self._cert, self._key, password="")
            if self._client_ca:
                context.load_verify_locations(self._client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except ssl.SSLError as error:
            files = f"{self._cert} with {self._key}" + (f" and {self._client_ca}" if self._client_ca else "")
            raise ValueError(f"{files}: not a certificate, its key and a CA, in PEM: {error}") from error
        return _Certificate(grpc.ssl_server_certificate_configuration([pair], roots), context, expires_at(pair[1]))
