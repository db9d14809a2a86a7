"""TLS, mutual TLS and keys, against real servers that ask for them."""

import traceback

import grpc
import pytest

from hybridrank.connector import BadAccess, SidecarClient, SidecarRefused, SidecarUnreachable, SyncHybridSearch
from hybridrank.connector.sidecar_client.base import Passage
from tests.connector.certificates import Authority
from tests.connector.serving import Answering, result

KEY = "s3cret-s3cret-s3cret"
SCORES = [result(0, 1.0)]


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def server_credentials(signed, client_ca=None):
    pair = (signed.key.read_bytes(), signed.cert.read_bytes())
    roots = client_ca.read_bytes() if client_ca else None
    return grpc.ssl_server_credentials([pair], roots, require_client_auth=client_ca is not None)


async def rescore(address: str, **access):
    async with SidecarClient(address, **access) as client:
        return await client.rescore("tea", [Passage("a", "tea")], model="m", timeout_s=20)


async def test_tls_with_a_key(servers, authority):
    servicer = Answering(SCORES)
    address = await servers.start(servicer, credentials=server_credentials(authority.sign("server")))
    await rescore(address, ca_certs=authority.ca, api_key=KEY)
    assert servicer.metadata[0]["authorization"] == f"Bearer {KEY}"


async def test_a_sidecar_of_another_authority_is_not_spoken_to(servers, authority, tmp_path):
    servicer = Answering(SCORES)
    address = await servers.start(servicer, credentials=server_credentials(authority.sign("server")))
    with pytest.raises(SidecarUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
        await rescore(address, ca_certs=Authority(tmp_path, "other").ca, api_key=KEY)
    assert servicer.calls == 0


async def test_an_expired_certificate_is_not_accepted(servers, authority):
    servicer = Answering(SCORES)
    address = await servers.start(servicer, credentials=server_credentials(authority.sign("server", days=-1)))
    with pytest.raises(SidecarUnreachable, match="CERTIFICATE_VERIFY_FAILED"):
        await rescore(address, ca_certs=authority.ca)
    assert servicer.calls == 0


async def test_mutual_tls(servers, authority):
    servicer = Answering(SCORES)
    credentials = server_credentials(authority.sign("server"), client_ca=authority.ca)
    address = await servers.start(servicer, credentials=credentials)
    ours = authority.sign("client")
    await rescore(address, ca_certs=authority.ca, client_cert=ours.cert, client_key=ours.key)
    with pytest.raises(SidecarUnreachable):
        await rescore(address, ca_certs=authority.ca)
    assert servicer.calls == 1


async def test_without_a_key_nothing_is_sent_and_a_refusal_is_named(servers):
    servicer = Answering(status=grpc.StatusCode.UNAUTHENTICATED)
    address = await servers.start(servicer)
    with pytest.raises(SidecarRefused, match="UNAUTHENTICATED") as caught:
        await rescore(address)
    assert caught.value.reason == "refused"
    assert "authorization" not in servicer.metadata[0]


@pytest.mark.parametrize(
    "address", ["localhost:1", "127.8.8.8:1", "[::1]:1", "unix:/tmp/sidecar", "dns:///localhost:1"]
)
def test_a_key_travels_inside_this_machine_without_tls(address):
    SidecarClient(address, api_key=KEY)


@pytest.mark.parametrize(
    "address",
    [
        "sidecar:1",
        "10.0.0.7:1",
        "localhost:1,sidecar:1",
        "dns://127.0.0.1/sidecar:1",
        "localhost.evil.org:1",
        "a.localhost:1",
    ],
)
def test_a_key_does_not_leave_this_machine_without_tls(address):
    with pytest.raises(BadAccess, match="unencrypted") as caught:
        SidecarClient(address, api_key=KEY)
    assert KEY not in str(caught.value)
    SidecarClient(address, api_key=KEY, plaintext_api_key=True)
    SidecarClient(address, api_key=KEY, tls=True)


async def test_a_key_shows_in_no_repr_and_no_error(servers):
    address = await servers.start(Answering(status=grpc.StatusCode.UNAUTHENTICATED))
    async with SidecarClient(address, api_key=KEY) as client:
        with pytest.raises(SidecarRefused) as caught:
            await client.rescore("tea", [Passage("a", "tea")], model="m", timeout_s=20)
        assert KEY not in f"{client!r} {vars(client)!r}"
    assert KEY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("key", ["", "two words", "naïve", "line\nbreak"])
def test_a_key_that_no_header_can_carry_is_refused(key):
    with pytest.raises(BadAccess, match="ASCII without spaces"):
        SidecarClient("localhost:1", api_key=key)


def test_files_that_do_not_fit_are_named(authority, tmp_path):
    one, other = authority.sign("one"), authority.sign("other")
    with pytest.raises(BadAccess, match="belong together"):
        SidecarClient("host:1", client_cert=one.cert)
    with pytest.raises(BadAccess, match=r"one\.pem"):
        SidecarClient("host:1", client_cert=one.cert, client_key=other.key)
    with pytest.raises(BadAccess, match=r"one\.key"):
        SidecarClient("host:1", ca_certs=one.key)
    with pytest.raises(FileNotFoundError):
        SidecarClient("host:1", ca_certs=tmp_path / "nothing.pem")


def test_the_synchronous_face_takes_a_client(tmp_path):
    client = SidecarClient("localhost:1", api_key=KEY)
    with SyncHybridSearch(f"embedded:{tmp_path}", client):
        pass
