"""One address, read once: the first question and every later request go to the same host, port and path."""

import os
import socket
from base64 import b64decode

import pytest

from hybridrank.connector import BadAddress, connect_engine
from hybridrank.connector.engines.elasticsearch import ElasticsearchEngine
from hybridrank.connector.engines.opensearch import OpenSearchEngine
from hybridrank.connector.engines.rest.addresses import parse_address
from tests.connector.fake_engine import ELASTIC, NODES, Reply, elasticsearch, fake_engine, opensearch

BOTH = pytest.mark.parametrize("product", [opensearch, elasticsearch])
CLOUD_ID = "shop:dXMtZWFzdC0xLmV4YW1wbGUub3JnJGFiYyRkZWY="  # us-east-1.example.org$abc$def


@pytest.mark.parametrize(
    ("address", "nodes"),
    [
        ("http://h", ["http://h:80"]),
        ("https://h", ["https://h:443"]),
        ("https://h/search/", ["https://h:443/search"]),
        ("HTTP://h:9200", ["http://h:9200"]),
        ("http://[::1]", ["http://[::1]:80"]),
        ("https://[2001:DB8::1]:9200/a/b", ["https://[2001:db8::1]:9200/a/b"]),
        ("http://a,b:9201, c:9202/p", ["http://a:80/p", "http://b:9201/p", "http://c:9202/p"]),
        ("http://büro:9200", ["http://xn--bro-hoa:9200"]),
        (CLOUD_ID, ["https://abc.us-east-1.example.org:443"]),
    ],
)
def test_a_missing_port_is_the_schemes_own(address, nodes):
    parsed = parse_address(address)
    assert list(parsed.nodes) == nodes
    assert parse_address(parsed.url).nodes == parsed.nodes


@pytest.mark.parametrize(
    ("written", "auth"),
    [
        ("user:p%40ss%23w", ("user", "p@ss#w")),
        ("us%2Fer:100%25", ("us/er", "100%")),
        ("user:p@ss", ("user", "p@ss")),
        ("üser:p%C3%A4ss€", ("üser", "päss€")),
        ("user:", ("user", "")),
    ],
)
def test_user_and_password_are_percent_decoded(written, auth):
    parsed = parse_address(f"https://{written}@a:9200,b:9200/p")
    assert parsed.auth == auth
    assert parsed.nodes == ("https://a:9200/p", "https://b:9200/p")
    assert auth[0] not in parsed.url


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("http://user:s3cret#1@h", "%23"),
        ("http://user:s3cret/1@h", "%2F"),
        ("http://user:s3cret?1@h", "%3F"),
        ("http://s3cret@h", "HYBRIDRANK_ENGINE_API_KEY"),
        ("http://:s3cret@h", "USER:PASSWORD@"),
        ("http://a%3Ab:s3cret@h", "colon"),
        ("http://user:%ffs3cret@h", "UTF-8"),
        ("http://user:s3cret@a,user:s3cret@b", "once"),
        ("http://h:9200?key=s3cret", "query"),
        ("http://h:9200/x#s3cret", "fragment"),
        ("http://h:s3cret", "neither embedded:PATH"),
        ("s3cret:s3cret", "neither embedded:PATH"),
        ("http://h:99999", "1 to 65535"),
        ("http://h:0", "1 to 65535"),
        ("http://[::zz]:9200", "host"),
        ("http://a b:9200", "neither"),
        ("localhost:9200", "write http://localhost:9200"),
        ("http://a:9200,http://b:9200", "scheme comes once"),
        ("opensearch://h:9200", "neither"),
        ("embedded:", "folder"),
    ],
)
async def test_a_wrong_address_is_explained_without_its_secrets(address, what):
    with pytest.raises(BadAddress, match=what) as caught:
        await connect_engine(address)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None or "s3cret" not in str(caught.value.__cause__)


@BOTH
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="binds port 80, which needs root")
async def test_without_a_port_every_request_goes_to_port_80(product):
    with (
        fake_engine(product, host="127.0.0.3", port=80) as wanted,
        fake_engine(product, host="127.0.0.3", port=9200) as other,
    ):
        engine = await connect_engine("http://127.0.0.3")
        await engine.request("GET", "/_nodes/_local")
        await engine.close()
    assert [each.path for each in wanted.asked] == ["/_nodes/_local/http", "/_nodes/_local"]
    assert other.asked == []


@pytest.mark.parametrize("engine_class", [OpenSearchEngine, ElasticsearchEngine])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_client_of_its_own_reads_addresses_the_same_way(engine_class, scheme):
    engine = engine_class(f"{scheme}://u:p@h,[::1]:9201/search")
    client = await engine._clients.here()
    assert engine.url == f"{scheme}://h:{80 if scheme == 'http' else 443},[::1]:9201/search"
    assert len(client.transport.hosts if engine_class is OpenSearchEngine else client.transport.node_pool) == 2
    await engine.close()


@BOTH
async def test_ipv6_and_a_path_behind_a_proxy(product):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with fake_engine(product, host="::1") as server:
        engine = await connect_engine(f"{server.url}/search/one/")
        await engine.request("GET", "/_nodes/_local")
        await engine.close()
    assert [each.path for each in server.asked] == ["/search/one/_nodes/_local/http", "/search/one/_nodes/_local"]
    assert {each.headers["host"] for each in server.asked} == {f"[::1]:{server.port}"}


@BOTH
async def test_the_probe_and_the_client_send_the_same_credentials(product):
    with fake_engine(product) as server:
        engine = await connect_engine(server.url.replace("//", "//üser:p%40ss€@"))
        await engine.request("GET", "/_nodes/_local")
        await engine.close()
    sent = {each.headers["authorization"].removeprefix("Basic ") for each in server.asked}
    assert [b64decode(each).decode() for each in sent] == ["üser:p@ss€"]


@BOTH
@pytest.mark.parametrize("key", ["aWQ6a2V5", "id:key"])
async def test_an_api_key_goes_encoded_with_every_request(product, key):
    with fake_engine(product) as server:
        engine = await connect_engine(server.url, api_key=key)
        await engine.request("GET", "/_nodes/_local")
        await engine.close()
    assert [each.headers["authorization"] for each in server.asked] == ["ApiKey aWQ6a2V5"] * 2


@BOTH
async def test_a_caller_without_the_nodes_privilege_still_connects(product):
    """The root page tells the engine too, and the version."""
    root = {"version": {"number": "9.1.0"} | ({"distribution": "opensearch"} if product is opensearch else {})}
    headers = product(None).headers

    def reply(asked):
        if asked.path.startswith("/_nodes"):
            return Reply(403, {"error": {"type": "security_exception", "reason": "no"}}, headers)
        return Reply(200, root if asked.path == "/" else {"tokens": []}, headers)

    with fake_engine(reply) as server:
        engine = await connect_engine(server.url)
        info = await engine.info()
        await engine.close()
    assert (info.name, info.version) == (product.__name__, "9.1.0")


async def test_the_node_that_answers_tells_the_engine():
    with fake_engine(lambda asked: Reply(body=NODES, headers=ELASTIC)) as server:
        engine = await connect_engine(f"http://127.0.0.1:1,127.0.0.1:{server.port}")
        await engine.close()
    assert isinstance(engine, ElasticsearchEngine)
