"""Whatever is sent to the OpenAPI page's paths: never a 500, and always an answer as the page describes it."""

import os
import subprocess
import sys

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.golden.sidecar import FOLDER, TINY_KINDS

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
MODELS = os.pathsep.join(str(FOLDER / name) for name in TINY_KINDS)
APIS = ["/v1/rerank", "/v2/rerank", "/rerank", "/v1/embeddings", "/v1/embed", "/v2/embed", "/embed", "/embed_sparse"]
PAGES = ["/healthz", "/readyz", "/health", "/metrics", "/v1/models", "/info"]
ONE_MODEL = "/v1/models/{name}"
SPEAKS_HTTP = "hybridrank sidecar speaks HTTP on "


@pytest.fixture(scope="module")
def page():
    """The OpenAPI page of a sidecar in a process of its own."""
    command = [sys.executable, "-m", "hybridrank.sidecar", "--port", "0", "--http-port", "0", "--models", MODELS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout.readline().startswith("hybridrank sidecar ready on ")
        url = child.stdout.readline().removeprefix(SPEAKS_HTTP).strip()
        try:
            yield schemathesis.openapi.from_url(f"{url}/openapi.json")
        finally:
            child.terminate()
    assert child.returncode == 0


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
@pytest.mark.parametrize("path", APIS)
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_answer_is_one_that_the_page_describes(page, path, mode, data):
    case = data.draw(page[path]["POST"].as_strategy(generation_mode=mode))
    case.call_and_validate(checks=CHECKS)


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_for_machines_are_as_described(page, path):
    page[path]["GET"].Case().call_and_validate(checks=CHECKS)


def test_the_page_of_a_model_is_as_described(page):
    for name in ("tiny-encoder", "nowhere"):
        page[ONE_MODEL]["GET"].Case(path_parameters={"name": name}).call_and_validate(checks=CHECKS)


def test_no_path_is_left_out(page):
    assert sorted(page) == sorted([*APIS, *PAGES, ONE_MODEL])
