import pytest

from tests.connector.serving import Servers


@pytest.fixture
async def servers():
    servers = Servers()
    yield servers
    for address in list(servers.running):
        await servers.stop(address)
