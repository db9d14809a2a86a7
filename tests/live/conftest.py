"""Real servers for the tests of this folder: one node each, started once for all of them.

A server left running by `hybridrank engine start` is used as it is, unless HYBRIDRANK_FRESH=1. Where a server cannot
be had (no JDK, no download) its tests are skipped with the reason; with REQUIRE_ENGINES=1 they fail instead.
"""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from typer.testing import CliRunner

from hybridrank import local_engines
from hybridrank.cli.app import app
from tests.live.http_sidecar import HttpSidecarProcess, http_sidecar
from tests.local_engines.available import server_or_skip
from tests.sidecar.certificates import Authority

TIMEOUT_S = 600  # the first test that asks for a server waits until it is downloaded and up
FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.live)
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def opensearch_url() -> Iterator[str]:
    with _server("opensearch") as url:
        yield url


@pytest.fixture(scope="session")
def elasticsearch_url() -> Iterator[str]:
    with _server("elasticsearch") as url:
        yield url


@pytest.fixture(scope="session")
def authority() -> Authority:
    """A private authority that the Java of `ml_commons_url` knows, and nothing else does."""
    return Authority("the cluster's own")


@pytest.fixture(scope="session")
def ml_commons_url(authority: Authority) -> Iterator[str]:
    """An OpenSearch with ml-commons; always a fresh one, since its cluster settings are changed."""
    with trust_store(authority) as options, pytest.MonkeyPatch.context() as patch:
        patch.setenv("JDK_JAVA_OPTIONS", options)
        with server_or_skip("opensearch", ml_commons=True, heap_mb=768) as engine:
            yield engine.url


@pytest.fixture(scope="session")
def ml_commons(ml_commons_url: str) -> Iterator[httpx.Client]:
    """Plain HTTP to that OpenSearch."""
    with httpx.Client(base_url=ml_commons_url, timeout=60) as client:
        yield client


@pytest.fixture(scope="session")
def http_face(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpSidecarProcess]:
    """A sidecar whose HTTP face that OpenSearch can call."""
    with http_sidecar(tmp_path_factory.mktemp("sidecar")) as sidecar:
        yield sidecar


@pytest.fixture(scope="session")
def setup(ml_commons_url: str, http_face: HttpSidecarProcess) -> Callable[..., Any]:
    """Run `hybridrank setup opensearch` on the two, with patience for a busy machine; returns its steps from JSON."""

    def setup(*options: str, expect: int = 0, **variables: str) -> Any:
        where = ["--url", ml_commons_url, "--sidecar", http_face.url, "--timeout-s", "60", "--json"]
        command = ["setup", "opensearch", *where, *options]
        with ThreadPoolExecutor(1) as elsewhere:  # the command has an event loop of its own
            done = elsewhere.submit(CliRunner().invoke, app, command, env=variables).result()
        assert done.exit_code == expect, f"{done.output}{done.exception!r}"
        return json.loads(done.stdout) if expect == 0 else done.stderr

    return setup


@pytest.fixture(scope="session", params=local_engines.ENGINES)
def engine_url(request: pytest.FixtureRequest) -> str:
    """Each server in turn."""
    return request.getfixturevalue(f"{request.param}_url")


@contextmanager
def trust_store(authority: Authority) -> Iterator[str]:
    """The options by which a Java, of any user, trusts this authority alone."""
    certificate = x509.load_pem_x509_certificate(authority.certificate)
    trusted = [pkcs12.PKCS12Certificate(certificate, b"sidecar")]
    with TemporaryDirectory(dir="/var/tmp") as folder:
        path = Path(folder, "trusted.p12")
        path.write_bytes(pkcs12.serialize_java_truststore(trusted, BestAvailableEncryption(b"changeit")))
        Path(folder).chmod(0o755)
        path.chmod(0o644)
        yield f"-Djavax.net.ssl.trustStore={path} -Djavax.net.ssl.trustStorePassword=changeit"


@contextmanager
def _server(name: str) -> Iterator[str]:
    existing = None if os.environ.get("HYBRIDRANK_FRESH") == "1" else local_engines.running(name)
    if existing:
        yield existing.url
        return
    with server_or_skip(name) as engine:
        yield engine.url
