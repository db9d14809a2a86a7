"""The date that ours reads from a certificate is the one that cryptography reads."""

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.sidecar.transport.security.expiry import expires_at, not_after
from tests.sidecar.certificates import DAY, Authority

EC_KEY = ec.generate_private_key(ec.SECP256R1())
# From 1950 to 2049 a date has two digits for its year, beyond it has four; both are drawn.
DATES = st.datetimes(datetime.datetime(1950, 1, 2), datetime.datetime(2200, 1, 1))


def certificate(name, key, end, serial=1, extensions=()):
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(named).issuer_name(named).public_key(key.public_key())
    builder = builder.serial_number(serial).not_valid_before(datetime.datetime(1950, 1, 1)).not_valid_after(end)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(key, hashes.SHA256())


def pem(*certificates):
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


@given(DATES, st.text("abc", min_size=1, max_size=60), st.integers(1, 2**159 - 1))
def test_any_date_name_and_serial_number(end, name, serial):
    made = certificate(name, EC_KEY, end, serial)
    assert expires_at(pem(made)) == made.not_valid_after_utc.timestamp()


def test_a_large_certificate_whose_lengths_take_two_bytes():
    names = x509.SubjectAlternativeName([x509.DNSName(f"host-{number}.example") for number in range(500)])
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    made = certificate("server", key, datetime.datetime(2031, 5, 6, 7, 8, 9), extensions=[names])
    assert not_after(made.public_bytes(serialization.Encoding.DER)) == made.not_valid_after_utc.timestamp()


def test_worked_example():
    made = certificate("server", EC_KEY, datetime.datetime(2030, 1, 1))
    assert expires_at(pem(made)) == 1893456000  # `date -u -d 2030-01-01 +%s`


def test_a_chain_expires_with_its_first_certificate_to_expire():
    authority = Authority("ours")
    server = authority.sign("server", valid_for=30 * DAY).certificate
    chain = b"# the server, then who signed it\n" + server + b"\n" + authority.certificate
    assert expires_at(chain) == expires_at(authority.certificate) < expires_at(server)


@pytest.mark.parametrize(
    "text", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----"]
)
def test_an_unreadable_certificate_has_no_expiry(text):
    assert expires_at(text) is None
