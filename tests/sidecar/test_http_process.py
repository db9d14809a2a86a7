"""The HTTP face of the sidecar as a process: where it is told, SIGTERM with a call in flight, a taken port."""

import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.golden.sidecar import FOLDER

TINY = FOLDER / "tiny-encoder"
SPEAKS_HTTP = "hybridrank sidecar speaks HTTP on "


@pytest.fixture
def start():
    """Start `python -m hybridrank.sidecar` with flags; whatever still runs at the end is killed."""
    children = []

    def start(*flags):
        command = [sys.executable, "-m", "hybridrank.sidecar", "--port", "0", *flags]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


def test_the_url_is_printed_and_sigterm_finishes_running_calls(start):
    child = start("--http-port", "0", "--threads", "1")
    assert child.stdout.readline().startswith("hybridrank sidecar ready on 127.0.0.1:")
    url = child.stdout.readline().removeprefix(SPEAKS_HTTP).strip()
    body = {"query": "length", "documents": [f"passage {index} " + "of some length " * 20 for index in range(60)]}
    with httpx.Client(base_url=url, timeout=60) as http, ThreadPoolExecutor(1) as pool:
        running = pool.submit(http.post, "/v1/rerank", json=body)
        while 'running_requests{wire="http"} 1.0' not in http.get("/metrics").text:
            pass
        child.send_signal(signal.SIGTERM)
        assert len(running.result().json()["results"]) == 60
    assert child.wait(timeout=60) == 0


def test_http_can_be_switched_off(start):
    child = start("--http-port", "-1", "--models", str(TINY))
    child.stdout.readline()
    child.terminate()
    assert child.stdout.read() == ""
    assert child.wait(timeout=60) == 0


def test_a_port_that_is_taken_is_named_and_exits_1(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        child = start("--http-port", str(port), "--models", str(TINY))
        assert child.wait(timeout=60) == 1
    assert f"cannot listen on 127.0.0.1:{port} for HTTP" in child.stderr.read()
