"""When certificates end: the one date that OpenSSL knows of a PEM file and Python's ssl does not tell.

`ssl` shows the fields of a peer's certificate and never those of one's own, so the date is read here. The files have
been loaded by OpenSSL before; nothing else is looked at, and nothing is trusted because of it.
"""

import re
import ssl
from collections.abc import Iterator
from datetime import datetime, timezone

BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)

VERSION, UTC_TIME = 0xA0, 0x17  # tags


def expires_at(pem: bytes) -> float | None:
    """The end of a chain, in seconds since the epoch: that of whichever certificate ends first.

    None when there is no certificate, or one whose end is not written as RFC 5280 wants.
    """
    try:
        ends = [not_after(ssl.PEM_cert_to_DER_cert(block)) for block in BLOCK.findall(pem.decode("latin-1"))]
    except (ValueError, IndexError):
        return None
    return min(ends, default=None)


def not_after(der: bytes) -> float:
    """The end of one certificate: the second date of the fourth field after its version (RFC 5280, 4.1)."""
    (_, certificate), *_ = _elements(der)
    (_, signed), *_ = _elements(certificate)
    _serial, _signature, _issuer, validity, *_ = (content for tag, content in _elements(signed) if tag != VERSION)
    _start, (tag, end) = _elements(validity)
    text = end.decode("ascii")
    if tag == UTC_TIME:  # of two digits for the year, which stand for 1950 to 2049
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()


def _elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each element, in their order (X.690, 8.1)."""
    while der:
        tag, length, begin = der[0], der[1], 2
        if length & 0x80:  # the long form: so many bytes of length follow
            begin += length & 0x7F
            length = int.from_bytes(der[2:begin], "big")
        yield tag, der[begin : begin + length]
        der = der[begin + length :]
