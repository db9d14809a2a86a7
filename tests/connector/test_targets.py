"""Addresses of sidecars: what gRPC cannot use is refused by name, before anything is sent."""

import grpc
import pytest

from hybridrank.connector import BadAddress, SidecarClient, SidecarRefused, SidecarUnreachable
from hybridrank.connector.sidecar_client.targets import parse_targets
from tests.connector.certificates import Authority
from tests.connector.fake_engine import Reply, fake_engine
from tests.connector.serving import Answering


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("http://localhost:50051", "write HOST:PORT of the gRPC port, such as localhost:50051"),
        ("http://localhost:8080", "such as localhost:50051"),
        ("https://[::1]:8443/x", r"such as \[::1\]:50051, with ca_certs="),
        ("https://search.test", "search.test:50051, with ca_certs= or tls=True"),
        ("grpc://u:s3cret@search.test:1/x", "such as search.test:1"),
        ("http://search.test?key=s3cret", "such as search.test:50051"),
        ("http://search.test:8080/x#s3cret", "such as search.test:50051"),
        ("u:s3cret@search.test:1,", "empty part"),
        ("localhost", "has no port; write localhost:50051"),
        ("search-1:50051,search-2", "write search-2:50051"),
        ("localhost:abc", "is not HOST:PORT"),
        ("localhost:50051/", "is not HOST:PORT"),
        ("localhost:99999", "1 to 65535"),
        ("::1", r"write \[::1\]:50051"),
        ("[::1]", r"write \[::1\]:50051"),
        ("::1:50051", r"write \[::1\]:50051"),
        ("[zz]:50051", "no IPv6 address"),
        ("two words:1", "is not HOST:PORT"),
    ],
)
def test_another_form_is_refused_with_what_to_write(address, what):
    with pytest.raises(BadAddress, match=what) as caught:
        SidecarClient(address)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["h:1", "127.0.0.1:50051", "[::1]:50051", "unix:/run/x.sock", "dns:///h:1", "dns://1.1.1.1/h:1", "ipv4:1.2.3.4:5"],
)
def test_addresses_that_grpc_accepts_stay_unchanged(address):
    assert parse_targets(f" {address} ") == (address,)


async def models(address, **access):
    async with SidecarClient(address, **access) as client:
        return await client.models(timeout_s=20)


async def test_the_port_of_an_http_face_is_told_from_grpcs():
    with fake_engine(lambda asked: Reply(404)) as server, pytest.raises(SidecarUnreachable, match="HTTP face"):
        await models(f"127.0.0.1:{server.port}")


async def test_tls_on_one_side_alone_names_the_setting(servers, tmp_path):
    authority = Authority(tmp_path)
    signed = authority.sign("server")
    pair = [(signed.key.read_bytes(), signed.cert.read_bytes())]
    encrypted = await servers.start(Answering(), credentials=grpc.ssl_server_credentials(pair))
    mutual = await servers.start(
        Answering(), credentials=grpc.ssl_server_credentials(pair, authority.ca.read_bytes(), require_client_auth=True)
    )
    plain = await servers.start(Answering())
    for address, access, advice in (
        (encrypted, {}, "HYBRIDRANK_CLIENT_CA_CERTS"),
        (encrypted, {"tls": True}, "name its authority: ca_certs="),
        (mutual, {"ca_certs": authority.ca}, "HYBRIDRANK_CLIENT_CERT and HYBRIDRANK_CLIENT_KEY"),
        (plain, {"ca_certs": authority.ca}, "does not speak TLS; leave out ca_certs"),
    ):
        with pytest.raises(SidecarUnreachable, match=advice):
            await models(address, **access)


@pytest.mark.parametrize(
    ("access", "advice"),
    [({}, "asks for an API key: api_key="), ({"api_key": "s3cret"}, "does not accept this key")],
)
async def test_a_missing_and_a_wrong_key_name_the_setting(servers, access, advice):
    address = await servers.start(Answering(status=grpc.StatusCode.UNAUTHENTICATED))
    async with SidecarClient(address, **access) as client:
        with pytest.raises(SidecarRefused, match=advice) as caught:
            await client.rescore_features([[1.0]], feature_set_digest="d", model="m", timeout_s=20)
    assert "HYBRIDRANK_CLIENT_API_KEY" in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def test_another_server_is_told_from_an_absent_sidecar(servers):
    address = await servers.start(Answering())  # without a registry of models
    with pytest.raises(Exception, match="not a sidecar of hybridrank"):
        await models(address)
    with pytest.raises(SidecarUnreachable, match="nothing listens there; start a sidecar"):
        await models("127.0.0.1:1")
    with pytest.raises(SidecarUnreachable, match="no such socket"):
        await models("unix:/no/such.sock")


async def test_loopback_is_never_proxied(servers, monkeypatch):
    address = await servers.start(Answering())
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    for each in (address, f"dns:///{address.replace('127.0.0.1', 'localhost')}"):
        async with SidecarClient(each) as client:
            assert await client.encode(["tea"], model="m", kind="query", timeout_s=20)


async def test_other_hosts_go_by_the_proxy(monkeypatch):
    asked = []

    def reply(request):
        asked.append((request.method, request.path))
        return Reply(502)

    with fake_engine(reply) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        for name in ("no_proxy", "no_grpc_proxy", "grpc_proxy", "https_proxy"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(SidecarUnreachable):
            await models("sidecar.test:50051")
    assert {method for method, _ in asked} <= {"CONNECT"}
