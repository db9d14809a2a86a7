"""Commands reach an engine as the environment says; nothing of it stands on a command line."""

import pytest

from hybridrank.cli.session import open_engine
from hybridrank.connector import BadAccess
from tests.connector.fake_engine import fake_engine


async def test_a_key_in_the_environment_goes_to_the_engine(monkeypatch):
    monkeypatch.setenv("HYBRIDRANK_ENGINE_API_KEY", "aWQ6a2V5")
    with fake_engine() as server:
        engine = await open_engine(server.url)
        await engine.request("GET", "/_nodes/_local")
        await engine.close()
    assert [each.headers["authorization"] for each in server.asked] == ["ApiKey aWQ6a2V5"] * 2


async def test_a_bundle_in_the_environment_is_read(monkeypatch):
    monkeypatch.setenv("HYBRIDRANK_ENGINE_CA_CERTS", "/no/such/bundle.pem")
    with pytest.raises(BadAccess, match="/no/such/bundle"):
        await open_engine("https://127.0.0.1:1")
