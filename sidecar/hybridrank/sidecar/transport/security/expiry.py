"""Expiry of certificates in a PEM file, which Python's ssl does not provide.

`ssl` gives the fields of a peer's certificate but not those of the own one, so the date is read here. OpenSSL has
loaded the files before; nothing else is read, and no trust depends on it.
"""

import re
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone

BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

VERSION, UTC_TIME = 0xA0, 0x17  # tags


def expires_at(pem: bytes) -> float | None:
    """Returns the expiry of a chain, in seconds since the epoch: that of its first certificate to expire.

    Returns None if there is no certificate, or one whose expiry does not follow RFC 5280.
    """
    try:
        ends = [not_after(ssl.PEM_cert_to_DER_cert(block)) for block in BLOCK.findall(pem.decode("latin-1"))]
    except (ValueError, IndexError):
        return None
    return min(ends, default=None)


def not_after(der: bytes) -> float:
    """Returns the expiry of one certificate: the second date of the fourth field after its version (RFC 5280, 4.1)."""
    (_, certificate), *_ = _elements(der)
    (_, signed), *_ = _elements(certificate)
    _serial, _signature, _issuer, validity, *_ = (content for tag, content in _elements(signed) if tag != VERSION)
    _start, (tag, end) = _elements(validity)
    text = end.decode("ascii")
    if tag == UTC_TIME:  # with two digits for the year, which mean 1950 to 2049
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields tag and content of each element, in order (X.690, 8.1)."""
    while der:
        tag, length, begin = der[0], der[1], 2
        if length & 0x80:  # the long form: this many bytes of length follow
            begin += length & 0x7F
            length = int.from_bytes(der[2:begin], "big")
        yield tag, der[begin : begin + length]
        der = der[begin + length :]
