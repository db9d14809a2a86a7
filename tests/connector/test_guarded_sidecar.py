"""Our client and our sidecar, with certificates and keys on both sides."""

import asyncio

import pytest

from hybridrank.connector import SidecarClient, SidecarRefused, SidecarUnreachable
from hybridrank.sidecar.child import sidecar_process
from tests.connector.certificates import Authority
from tests.golden.sidecar import FOLDER

KEY = "one-of-the-good-keys"


@pytest.fixture
async def guarded(tmp_path):
    """Its address, the authority behind it, and a certificate for a caller."""
    authority = Authority(tmp_path)
    server = authority.sign("server")
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n")
    settings = {
        "tls_cert": str(server.cert),
        "tls_key": str(server.key),
        "tls_client_ca": str(authority.ca),
        "api_keys": str(keys),
    }
    process = sidecar_process(models=FOLDER / "tiny-encoder", settings=settings)
    child = await asyncio.to_thread(process.__enter__)
    yield child.address, authority
    await asyncio.to_thread(process.__exit__, None, None, None)


async def test_only_callers_with_certificate_and_key_are_answered(guarded):
    address, authority = guarded
    ours = authority.sign("caller")
    certificates = {"ca_certs": authority.ca, "client_cert": ours.cert, "client_key": ours.key}
    async with SidecarClient(address, **certificates, api_key=KEY) as client:
        (model,) = await client.models()
        assert model.name == "tiny-encoder"
        (encoding,) = await client.encode(["tea"], model="tiny-encoder", kind="query", timeout_s=20)
        assert encoding.vector
    for wrong, error in (
        (certificates | {"api_key": "one-of-the-old-keys"}, SidecarRefused),
        (certificates, SidecarRefused),
        ({"ca_certs": authority.ca, "api_key": KEY}, SidecarUnreachable),
        ({"api_key": KEY}, SidecarUnreachable),
    ):
        async with SidecarClient(address, **wrong) as client:
            with pytest.raises(error):
                await client.models()
