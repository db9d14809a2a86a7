"""Errors on the way to an engine: each cause has its own message, which says what to do."""

import socket
import ssl
import threading
from contextlib import contextmanager
from time import monotonic

import pytest

from hybridrank.connector import BadAccess, EngineUnreachable, connect_engine
from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from hybridrank.connector.engines.rest.http import proxy_of
from tests.connector.certificates import Authority
from tests.connector.fake_engine import Reply, elasticsearch, fake_engine, opensearch

CLASSES = pytest.mark.parametrize("engine_class", [OpenSearchEngine, ElasticsearchEngine])
PAGE = b"<!doctype html><title>Log in</title>"


def security(reason: str) -> dict:
    return {"error": {"type": "security_exception", "reason": reason}}


@pytest.mark.parametrize(
    ("reply", "reason", "advice"),
    [
        (Reply(401), "refused", "USER:PASSWORD@HOST"),
        (
            Reply(403, security("action is unauthorized for [app]")),
            "forbidden",
            "cluster:monitor/main.*unauthorized for",
        ),
        (Reply(404), "not_an_engine", "no engine at this path"),
        (Reply(404, PAGE), "not_an_engine", "web page"),
        (Reply(410, {"error": {"reason": "not available in serverless mode"}}), "serverless", "serverless"),
        (Reply(429, {"error": "rate"}), "busy", "try again.*rate"),
        (Reply(429, PAGE), "busy", "try again"),
        (Reply(503), "busy", "try again"),
        (Reply(502, PAGE), "proxy", "engine behind it"),
        (Reply(504), "proxy", "engine behind it"),
        (Reply(500), "not_an_engine", "HTTP 500"),
        (
            Reply(302, headers={"location": "https://u:s3cret@login.test/?key=s3cret"}),
            "redirected",
            "https://login.test",
        ),
        (Reply(301, headers={"location": "/elsewhere"}), "redirected", "/elsewhere"),
        (Reply(200, PAGE), "not_an_engine", "web page"),
        (Reply(200, {"nodes": []}), "not_an_engine", "does not answer as an engine"),
        (Reply(200, []), "not_an_engine", "does not answer as an engine"),
        (Reply(200, b""), "not_an_engine", "does not answer as an engine"),
        (Reply(200, b"\xff\xfe{"), "not_an_engine", "does not answer as an engine"),
    ],
)
async def test_each_refusal_has_a_cause_and_a_way_out(reply, reason, advice):
    with fake_engine(lambda asked: reply) as server, pytest.raises(EngineUnreachable, match=advice) as caught:
        await connect_engine(server.url)
    assert server.url in str(caught.value)
    assert caught.value.reason == reason
    assert "s3cret" not in str(caught.value)
    assert "password" not in str(caught.value) or reply.status == 401


async def test_refused_credentials_are_named_but_not_shown():
    with fake_engine(lambda asked: Reply(401)) as server:
        for address, how in ((server.url.replace("//", "//u:s3cret@"), {}), (server.url, {"api_key": "s3cret"})):
            with pytest.raises(EngineUnreachable, match="check the user and password, or the API key") as caught:
                await connect_engine(address, **how)
            assert "s3cret" not in str(caught.value)


async def test_a_refusal_says_more_than_a_node_that_is_down():
    with (
        fake_engine(lambda asked: Reply(401)) as server,
        pytest.raises(EngineUnreachable, match="asks for credentials"),
    ):
        await connect_engine(f"http://127.0.0.1:{server.port},127.0.0.1:1")


async def test_a_port_left_out_is_thought_of_when_nothing_listens():
    with pytest.raises(EngineUnreachable, match=r"http://127\.0\.0\.99:80: Connection refused; .*9200"):
        await connect_engine("http://127.0.0.99")


@CLASSES
async def test_credentials_do_not_follow_a_redirect(engine_class):
    with fake_engine() as elsewhere:
        away = Reply(307, headers={"location": f"{elsewhere.url}/_nodes"})
        with fake_engine(lambda asked: away) as server:
            engine = engine_class(server.url, auth=("user", "s3cret"))
            with pytest.raises(EngineUnreachable, match="redirects to"):
                await engine.request("GET", "/_nodes")
            await engine.close()
    assert elsewhere.asked == []


@pytest.fixture
def tls(tmp_path):
    """A server's TLS, and the authority behind it."""
    authority = Authority(tmp_path)
    signed = authority.sign("engine")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed.cert, signed.key)
    return context, authority


@pytest.mark.parametrize("product", [opensearch, elasticsearch])
async def test_tls_with_a_private_authority(tls, product):
    context, authority = tls
    with fake_engine(product, context=context) as server:
        for how in ({"ca_certs": str(authority.ca)}, {"verify_certs": False}):
            engine = await connect_engine(server.url, **how)
            assert await engine.request("GET", "/_nodes/_local")
            await engine.close()
        with pytest.raises(EngineUnreachable, match="HYBRIDRANK_ENGINE_CA_CERTS") as caught:
            await connect_engine(server.url)
    assert caught.value.reason == "bad_certificate"


@CLASSES
async def test_tls_on_one_side_alone_is_named(tls, engine_class):
    with fake_engine(context=tls[0]) as encrypted, fake_engine() as plain:
        for url, advice in (
            (encrypted.url.replace("https", "http"), "write https://"),
            (plain.url.replace("http", "https"), "write http://"),
        ):
            with pytest.raises(EngineUnreachable, match=advice):
                await connect_engine(url)
            engine = engine_class(url)
            with pytest.raises(EngineUnreachable, match=advice):
                await engine.request("GET", "/")
            await engine.close()


@pytest.mark.parametrize("key", ["", "two words", "naïve", "line\nbreak"])
async def test_an_engines_key_that_no_header_can_carry_is_refused(key):
    with pytest.raises(BadAccess, match="header cannot carry"):
        await connect_engine("http://127.0.0.1:1", api_key=key)


async def test_a_bundle_that_is_none_is_named(tmp_path):
    for bundle in (tmp_path / "missing.pem", tmp_path):
        with pytest.raises(BadAccess, match="ca_certs"):
            await connect_engine("https://127.0.0.1:1", ca_certs=str(bundle))


@contextmanager
def trickling():
    """A server that sends ten bytes every tenth of a second, for ever."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            try:
                while not stop.wait(0.1):
                    connection.sendall(b"x-pad: 12\n")
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        listener.close()


async def test_an_engine_that_answers_without_end_is_given_up_in_time():
    started_at = monotonic()
    with trickling() as url, pytest.raises(EngineUnreachable, match="in time"):
        await connect_engine(url, timeout_s=0.5)
    assert monotonic() - started_at < 3


@pytest.fixture
def proxied(monkeypatch):
    """A proxy in the environment, which keeps what it was asked."""
    with fake_engine(lambda asked: Reply(body={"nodes": {"n": {"version": "3.6.0"}}})) as proxy:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, f"http://me:s3cret@127.0.0.1:{proxy.port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "direct.test,.inside.test")
        yield proxy


@pytest.mark.parametrize("product", [opensearch, elasticsearch])
async def test_loopback_is_never_proxied(proxied, product):
    with fake_engine(product) as server:
        for host in ("127.0.0.1", "localhost"):
            engine = await connect_engine(f"http://{host}:{server.port}")
            await engine.request("GET", "/_nodes/_local")
            await engine.close()
    assert len(server.asked) == 4
    assert proxied.asked == []


async def test_other_hosts_go_by_the_proxy_for_probe_and_client(proxied):
    engine = await connect_engine("http://search.test:9200")
    await engine.request("GET", "/_nodes/_local")
    await engine.close()
    assert [each.path for each in proxied.asked] == [
        "http://search.test:9200/_nodes/_local/http",
        "http://search.test:9200/_nodes/_local",
    ]
    assert all(each.headers["proxy-authorization"].startswith("Basic ") for each in proxied.asked)


@pytest.mark.usefixtures("proxied")
def test_no_proxy_names_hosts_that_are_reached_directly():
    hosts = ("direct.test", "a.inside.test", "127.9.9.9", "[::1]", "search.test")
    assert [bool(proxy_of(f"http://{host}:9200")) for host in hosts] == [False, False, False, False, True]
