"""Keys, TLS and mutual TLS over real connections: who gets in, what others are told, and files that are replaced."""

import asyncio
import os
import socket
import ssl
from contextlib import asynccontextmanager, suppress

import grpc
import httpx
import pytest
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from hybridrank.sidecar.app import logs
from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.protocol import rerank_pb2_grpc
from hybridrank.sidecar.rerankers.token_overlap import TokenOverlapReranker
from hybridrank.sidecar.service import RerankService
from hybridrank.sidecar.transport.calls import Calls
from hybridrank.sidecar.transport.grpc.server import MAX_MESSAGE_BYTES, GrpcServer
from hybridrank.sidecar.transport.http.server import HttpServer
from hybridrank.sidecar.transport.security.keys import KeyRing
from hybridrank.sidecar.transport.security.tls import Tls
from tests.sidecar.certificates import DAY, Authority, Pair
from tests.sidecar.doubles import loaded
from tests.sidecar.serving import rerank_request

KEY = "first-key-0123456789"
OTHER_KEY = "second-key-0123456789"
REFUSED = (grpc.StatusCode.UNAUTHENTICATED, "unauthenticated")


@pytest.fixture(scope="module")
def authority():
    return Authority("ours")


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"# of the search team\n{KEY}\n\n  {OTHER_KEY}  \n")
    return path


@asynccontextmanager
async def server_with(**security):
    """A server on a free port, with a model that needs no weights."""
    logs.configure("json")
    worker = Worker(threads=1, max_queue_tokens=10_000)
    service = RerankService(Models([loaded(TokenOverlapReranker())]), worker, max_batch_tokens=512)
    server = GrpcServer(service, host="127.0.0.1", port=0, **security)
    try:
        yield await server.start()
    finally:
        await server.stop(0)
        worker.close()


def bearer(key):
    return (("authorization", f"Bearer {key}"),)


async def list_models(channel, metadata=()):
    return await rerank_pb2_grpc.ModelRegistryStub(channel).List(pb.ListModelsRequest(), metadata=metadata)


async def refusal(call):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value.code(), error.value.details()


def channel_with(address, roots, client: Pair | None = None):
    """A new connection, not one that gRPC kept from before; it gives up at the first handshake that fails."""
    credentials = grpc.ssl_channel_credentials(
        roots, client.key if client else None, client.certificate if client else None
    )
    return grpc.aio.secure_channel(address, credentials, options=[("grpc.use_local_subchannel_pool", 1)])


async def names_over_tls(address, roots, client: Pair | None = None):
    async with channel_with(address, roots, client) as channel:
        return [model.name for model in (await list_models(channel)).models]


async def assert_no_way_in(address, roots, client: Pair | None = None):
    async with channel_with(address, roots, client) as channel:
        assert (await refusal(list_models(channel)))[0] is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
async def test_every_key_of_the_file_opens(key, key_file):
    async with server_with(keys=KeyRing(key_file)) as address, grpc.aio.insecure_channel(address) as channel:
        assert (await list_models(channel, bearer(key))).models


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        bearer(""),
        bearer("# of the search team"),
        bearer(KEY[:-1]),
        bearer(KEY + "0"),
        bearer(KEY.upper()),
        (("authorization", KEY),),
        (("authorization", f"Basic {KEY}"),),
        (("x-api-key", KEY),),
    ],
)
async def test_anything_else_is_refused_in_the_same_words(metadata, key_file):
    async with server_with(keys=KeyRing(key_file)) as address, grpc.aio.insecure_channel(address) as channel:
        assert await refusal(list_models(channel, metadata)) == REFUSED
        stub = rerank_pb2_grpc.RerankerStub(channel)
        assert await refusal(stub.Rerank(rerank_request("token-overlap", "a", "b"), metadata=metadata)) == REFUSED


async def test_health_needs_no_key_and_reflection_does(key_file):
    async def services(channel, metadata):
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        return [answer async for answer in stub.ServerReflectionInfo(iter([request]), metadata=metadata)]

    async with server_with(keys=KeyRing(key_file)) as address, grpc.aio.insecure_channel(address) as channel:
        status = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert status.status == health_pb2.HealthCheckResponse.SERVING
        assert await refusal(services(channel, ())) == REFUSED
        assert await services(channel, bearer(KEY))


async def test_without_a_key_nothing_of_a_large_request_is_read(key_file):
    text = "word " * (MAX_MESSAGE_BYTES // 4)  # over the limit: had it been read, the answer would be another
    options = [("grpc.max_send_message_length", -1)]
    async with (
        server_with(keys=KeyRing(key_file)) as address,
        grpc.aio.insecure_channel(address, options=options) as channel,
    ):
        stub = rerank_pb2_grpc.RerankerStub(channel)
        assert await refusal(stub.Rerank(rerank_request("token-overlap", "a", text))) == REFUSED
        code, details = await refusal(stub.Rerank(rerank_request("token-overlap", "a", text), metadata=bearer(KEY)))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "larger than max" in details


async def test_keys_are_rotated_while_the_server_runs(key_file):
    async with server_with(keys=KeyRing(key_file)) as address, grpc.aio.insecure_channel(address) as channel:
        key_file.write_text("brand-new-key-0123456789")
        assert await refusal(list_models(channel, bearer(KEY))) == REFUSED
        assert (await list_models(channel, bearer("brand-new-key-0123456789"))).models
        key_file.write_text("")
        assert await refusal(list_models(channel, bearer("brand-new-key-0123456789"))) == REFUSED


async def test_an_unreadable_key_file_keeps_the_keys_as_they_were(key_file, capsys):
    async with server_with(keys=KeyRing(key_file)) as address, grpc.aio.insecure_channel(address) as channel:
        key_file.unlink()
        assert (await list_models(channel, bearer(KEY))).models
        key_file.write_text("short")
        assert (await list_models(channel, bearer(KEY))).models
    log = capsys.readouterr().err
    assert log.count("not reloaded") == 2
    assert "line 1" in log


async def test_no_key_is_ever_shown(key_file, capsys):
    keys = KeyRing(key_file)
    async with server_with(keys=keys) as address, grpc.aio.insecure_channel(address) as channel:
        await list_models(channel, bearer(KEY))
        await refusal(list_models(channel, bearer("wrong-key-0123456789")))
        key_file.write_text(f"{KEY}\nwith space {OTHER_KEY}")
        await list_models(channel, bearer(KEY))
    shown = repr(keys) + repr(vars(keys)) + "".join(capsys.readouterr())
    assert "call refused without a good key" in shown
    assert "line 2" in shown
    assert not any(secret in shown for secret in (KEY, OTHER_KEY, "wrong-key"))


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "short-key", "with space 0123456789", "schlüssel-0123456789"])
def test_a_key_file_that_cannot_be_used_is_named(text, tmp_path):
    path = tmp_path / "keys"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="keys") as error:
        KeyRing(path)
    assert "0123456789" not in str(error.value)


async def test_tls_speaks_to_those_who_trust_its_authority(authority, tmp_path):
    tls = Tls(*authority.sign("server").write(tmp_path))
    async with server_with(tls=tls) as address:
        assert await names_over_tls(address, authority.certificate) == ["token-overlap"]
        await assert_no_way_in(address, Authority("somebody else").certificate)
        async with grpc.aio.insecure_channel(address) as channel:
            assert (await refusal(list_models(channel)))[0] is grpc.StatusCode.UNAVAILABLE


async def test_an_expired_certificate_is_replaced_without_a_restart(authority, tmp_path):
    tls = Tls(*authority.sign("server", valid_for=-DAY).write(tmp_path))
    async with server_with(tls=tls) as address:
        await assert_no_way_in(address, authority.certificate)
        authority.sign("server").write(tmp_path)
        assert await names_over_tls(address, authority.certificate) == ["token-overlap"]


async def test_a_new_authority_is_used_and_open_connections_stay(authority, tmp_path):
    tls = Tls(*authority.sign("server").write(tmp_path))
    async with server_with(tls=tls) as address, channel_with(address, authority.certificate) as open_channel:
        await list_models(open_channel)
        successor = Authority("successor")
        successor.sign("server").write(tmp_path)
        assert await names_over_tls(address, successor.certificate) == ["token-overlap"]
        await assert_no_way_in(address, authority.certificate)
        await list_models(open_channel)


async def test_half_a_replacement_changes_nothing(authority, tmp_path, capsys):
    cert, key = authority.sign("server").write(tmp_path)
    async with server_with(tls=Tls(cert, key)) as address:
        replacement = Authority("replacement")
        pair = replacement.sign("server")
        cert.write_bytes(pair.certificate)
        assert await names_over_tls(address, authority.certificate) == ["token-overlap"]
        assert "not reloaded" in capsys.readouterr().err
        key.write_bytes(pair.key)
        assert await names_over_tls(address, replacement.certificate) == ["token-overlap"]


async def test_with_a_client_ca_only_its_certificates_get_in(authority, tmp_path):
    callers = Authority("callers")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(callers.certificate)
    tls = Tls(*authority.sign("server").write(tmp_path), ca)
    async with server_with(tls=tls) as address:
        assert await names_over_tls(address, authority.certificate, callers.sign("search")) == ["token-overlap"]
        await assert_no_way_in(address, authority.certificate)
        await assert_no_way_in(address, authority.certificate, authority.sign("search"))
        await assert_no_way_in(address, authority.certificate, callers.sign("search", valid_for=-DAY))
        ca.write_bytes(authority.certificate)
        assert await names_over_tls(address, authority.certificate, authority.sign("search")) == ["token-overlap"]
        await assert_no_way_in(address, authority.certificate, callers.sign("search"))


async def test_health_has_a_port_without_tls_and_nothing_else_there(authority, key_file, tmp_path, unused_port):
    tls = Tls(*authority.sign("server").write(tmp_path))
    async with (
        server_with(tls=tls, keys=KeyRing(key_file), health_port=unused_port),
        grpc.aio.insecure_channel(f"127.0.0.1:{unused_port}") as channel,
    ):
        status = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert status.status == health_pb2.HealthCheckResponse.SERVING
        assert (await refusal(list_models(channel, bearer(KEY))))[0] is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("secured", [False, True])
async def test_garbage_on_the_port_ends_that_connection_and_no_other(secured, authority, tmp_path):
    tls = Tls(*authority.sign("server").write(tmp_path)) if secured else None
    async with server_with(tls=tls) as address:
        host, port = address.split(":")
        for garbage in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(100_000), b"\x16\x03\x01\xff\xff" + bytes(70_000)):
            reader, writer = await asyncio.open_connection(host, port)
            writer.write(garbage)
            with suppress(ConnectionError):
                await reader.read()  # until the server ends it, by a close or a reset
            writer.close()
        if secured:
            assert await names_over_tls(address, authority.certificate) == ["token-overlap"]
        else:
            async with grpc.aio.insecure_channel(address) as channel:
                await list_models(channel)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
async def test_a_message_over_the_limit_packed_or_unpacked_is_refused(compression):
    options = [("grpc.max_send_message_length", -1)]
    async with server_with() as address, grpc.aio.insecure_channel(address, options=options) as channel:
        stub = rerank_pb2_grpc.RerankerStub(channel)
        small, large = (rerank_request("token-overlap", "a", "a" * size) for size in (1000, MAX_MESSAGE_BYTES + 1))
        refused, _ = await refusal(stub.Rerank(large, compression=compression))
        assert refused is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert len((await stub.Rerank(small, compression=compression)).results) == 1


@pytest.fixture
def unused_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


async def handshake(port, roots, client=None) -> x509.Certificate:
    """The certificate that a server of asyncio shows, which the HTTP face is."""
    context = ssl.create_default_context(cadata=roots.decode())
    if client:
        context.load_cert_chain(*client)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        assert await reader.read() == b"hello"
        return x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    finally:
        writer.close()


@asynccontextmanager
async def hello_server(tls):
    async def say_hello(_reader, writer):
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(say_hello, "127.0.0.1", 0, ssl=tls.ssl_context())
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_the_context_for_http_takes_up_new_certificates(authority, tmp_path):
    pair = authority.sign("first")
    async with hello_server(Tls(*pair.write(tmp_path))) as port:
        assert (await handshake(port, authority.certificate)).subject.rfc4514_string() == "CN=first"
        authority.sign("second").write(tmp_path)
        assert (await handshake(port, authority.certificate)).subject.rfc4514_string() == "CN=second"


async def test_https_wants_client_certificates_and_reloads_a_new_ca(authority, tmp_path):
    callers = Authority("callers")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(callers.certificate)
    good, bad = callers.sign("search").write(tmp_path / "good"), authority.sign("search").write(tmp_path / "bad")
    async with hello_server(Tls(*authority.sign("server").write(tmp_path), ca)) as port:
        await handshake(port, authority.certificate, good)
        for client in (None, bad):
            with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
                await handshake(port, authority.certificate, client)
        ca.write_bytes(authority.certificate)
        await handshake(port, authority.certificate, bad)
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            await handshake(port, authority.certificate, good)


@asynccontextmanager
async def https_server_with(**security):
    """The HTTP face on a free port; yields its URL."""
    logs.configure("json")
    worker = Worker(threads=1, max_queue_tokens=10_000)
    service = RerankService(Models([loaded(TokenOverlapReranker())]), worker, max_batch_tokens=512)
    server = HttpServer(Calls(service), host="127.0.0.1", port=0, max_body_bytes=1_000_000, **security)
    try:
        yield await server.start()
    finally:
        await server.stop()
        worker.close()


def https_client(url, roots, client=None):
    context = ssl.create_default_context(cadata=roots.decode())
    if client:
        context.load_cert_chain(*client)
    return httpx.AsyncClient(base_url=url, verify=context)


async def test_the_http_face_has_the_same_certificate_and_keys(authority, key_file, tmp_path):
    tls = Tls(*authority.sign("server").write(tmp_path))
    body = {"query": "a dog", "documents": ["a dog barks"]}
    async with https_server_with(tls=tls, keys=KeyRing(key_file)) as url:
        assert url.startswith("https://")
        async with https_client(url, authority.certificate) as http:
            assert (await http.get("/readyz")).status_code == 200
            assert (await http.get("/metrics")).status_code == 401
            assert (await http.post("/v1/rerank", json=body)).status_code == 401
            answer = await http.post("/v1/rerank", json=body, headers={"authorization": f"Bearer {OTHER_KEY}"})
            assert (answer.status_code, len(answer.json()["results"])) == (200, 1)
        successor = Authority("successor")
        successor.sign("server").write(tmp_path)
        async with https_client(url, successor.certificate) as http:
            assert (await http.get("/healthz")).status_code == 200
        async with https_client(url, authority.certificate) as http:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await http.get("/healthz")


async def test_the_http_face_wants_client_certificates_too(authority, tmp_path):
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.certificate)
    caller = authority.sign("search").write(tmp_path / "caller")
    async with https_server_with(tls=Tls(*authority.sign("server").write(tmp_path), ca)) as url:
        async with https_client(url, authority.certificate, caller) as http:
            assert (await http.get("/readyz")).status_code == 200
        async with https_client(url, authority.certificate) as http:
            with pytest.raises(httpx.TransportError):
                await http.get("/readyz")


def test_files_that_are_no_pair_are_named(authority, tmp_path):
    cert, _ = authority.sign("one").write(tmp_path / "one")
    _, key = authority.sign("two").write(tmp_path / "two")
    with pytest.raises(ValueError, match=f"{cert} with {key}"):
        Tls(cert, key)
    with pytest.raises(FileNotFoundError):
        Tls(cert, tmp_path / "nowhere.pem")
