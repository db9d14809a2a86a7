"""The sidecar as a process of its own: ready line, security by settings, SIGTERM, and a parent that goes away."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hybridrank.sidecar.child import SidecarNotStarted, sidecar_process
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.protocol import rerank_pb2_grpc
from tests.golden.sidecar import FOLDER
from tests.sidecar.certificates import Authority
from tests.sidecar.serving import rerank_request

TINY = FOLDER / "tiny-encoder"
KEY = "a-key-0123456789"
READY = "hybridrank sidecar ready on 127.0.0.1:"


@pytest.fixture
def start():
    """Start `python -m hybridrank.sidecar` with flags; whatever still runs at the end is killed."""
    children = []

    def start(*flags, **variables):
        child = subprocess.Popen(
            [sys.executable, "-m", "hybridrank.sidecar", "--port", "0", "--http-port", "-1", *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
        )
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        child.communicate()


@dataclass(frozen=True)
class Secured:
    """Flags of a sidecar with a certificate and keys, and the authority to trust."""

    flags: tuple[str, ...]
    authority: bytes


@pytest.fixture
def secured(tmp_path):
    authority = Authority("ours")
    cert, key = authority.sign("server").write(tmp_path)
    keys = tmp_path / "keys"
    keys.write_text(KEY)
    flags = ("--tls-cert", str(cert), "--tls-key", str(key), "--api-keys", str(keys))
    return Secured(flags, authority.certificate)


def address_of(child) -> str:
    line = child.stdout.readline()
    assert line.startswith(READY), child.stderr.read()
    return line.removeprefix("hybridrank sidecar ready on ").strip()


def test_sigterm_turns_unhealthy_finishes_what_runs_and_exits_0(start):
    child = start("--threads", "1")
    with grpc.insecure_channel(address_of(child)) as channel:
        statuses = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(statuses).status == health_pb2.HealthCheckResponse.SERVING
        passages = [f"passage {index} " + "of some length " * 20 for index in range(60)]
        running = rerank_pb2_grpc.RerankerStub(channel).Rerank.future(
            rerank_request("cross-encoder", "length", *passages)
        )
        # Calls begin in the order of their arrival: once this later one is answered, the one above is running.
        rerank_pb2_grpc.ModelRegistryStub(channel).List(pb.ListModelsRequest())
        assert not running.done()
        child.send_signal(signal.SIGTERM)
        assert next(statuses).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert len(running.result().results) == 60
    assert child.wait(timeout=60) == 0


def test_a_large_reply_in_flight_at_sigterm_arrives_whole(start):
    child = start("--models", str(TINY), "--http-port", "0", "--threads", "1")
    address = address_of(child)
    url = child.stdout.readline().split()[-1]
    request = rerank_request("tiny-encoder", "length", *[f"passage {index} of some length" for index in range(3000)])
    for candidate in request.candidates:
        candidate.id = "i" * 10_000
    with grpc.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)]) as channel:
        running = rerank_pb2_grpc.RerankerStub(channel).Rerank.future(request)
        while 'running_requests{wire="grpc"} 1.0' not in httpx.get(f"{url}/metrics").text:
            assert not running.done()
        child.send_signal(signal.SIGTERM)
        assert sum(len(result.id) for result in running.result().results) == 30_000_000
    assert child.wait(timeout=60) == 0


def test_busy_callers_see_only_answers_and_unavailable(start):
    child = start("--models", str(TINY))
    address = address_of(child)
    calling = threading.Barrier(9)

    def call_until_nobody_listens() -> set[grpc.StatusCode]:
        seen = set()
        with grpc.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            registry = rerank_pb2_grpc.ModelRegistryStub(channel)
            while True:
                try:
                    registry.List(pb.ListModelsRequest(), timeout=60)
                    if grpc.StatusCode.OK not in seen:
                        calling.wait()
                    seen.add(grpc.StatusCode.OK)
                except grpc.RpcError as error:
                    seen.add(error.code())
                    if child.poll() is not None:
                        return seen

    with ThreadPoolExecutor(8) as pool:
        callers = [pool.submit(call_until_nobody_listens) for _ in range(8)]
        calling.wait()
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=60) == 0
        for caller in callers:
            assert caller.result() == {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}


def health_of(*flags, **variables):
    command = [sys.executable, "-m", "hybridrank.sidecar.health", *flags]
    return subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=False)


def test_the_health_command_tells_by_its_exit_code(start):
    address = address_of(start("--models", str(TINY)))
    port = address.rsplit(":", 1)[1]
    assert health_of(HYBRIDRANK_SIDECAR_PORT=port).returncode == 0
    assert health_of("--address", address, "--service", "tiny-encoder").stdout == f"{address}: SERVING\n"
    missing = health_of("--address", address, "--service", "other")
    assert (missing.returncode, "NOT_FOUND" in missing.stderr) == (1, True)


def test_the_health_command_uses_the_health_port_beside_tls(start, secured, tmp_path):
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = str(one.getsockname()[1])
    address_of(start("--models", str(TINY), "--health-port", port, *secured.flags))
    variables = {"HYBRIDRANK_SIDECAR_TLS_CERT": secured.flags[1], "HYBRIDRANK_SIDECAR_TLS_KEY": secured.flags[3]}
    assert health_of(HYBRIDRANK_SIDECAR_HEALTH_PORT=port, **variables).stdout == f"127.0.0.1:{port}: SERVING\n"
    without = health_of(**variables)
    assert (without.returncode, "set health_port" in without.stderr) == (1, True)


def test_tls_and_keys_by_settings(start, secured):
    address = address_of(start("--models", str(TINY), *secured.flags))
    credentials = grpc.ssl_channel_credentials(secured.authority)
    with grpc.secure_channel(address, credentials) as channel:
        registry = rerank_pb2_grpc.ModelRegistryStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            registry.List(pb.ListModelsRequest())
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert registry.List(pb.ListModelsRequest(), metadata=(("authorization", f"Bearer {KEY}"),)).models


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--tls-cert", "cert.pem"], "tls_cert and tls_key belong together"),
        (["--tls-client-ca", "ca.pem"], "tls_client_ca needs tls_cert"),
    ],
)
def test_half_of_tls_exits_2(flags, problem, start):
    child = start(*flags)
    assert child.wait(timeout=60) == 2
    assert problem in child.stderr.read()


@pytest.mark.parametrize("flags", [["--api-keys", "nowhere"], ["--tls-cert", "nowhere", "--tls-key", "nowhere"]])
def test_a_file_of_keys_that_is_not_there_exits_1(flags, start):
    child = start("--models", str(TINY), *flags)
    assert child.wait(timeout=60) == 1
    assert f"the sidecar cannot start: {flags[0][2:].replace('-', '_')}: cannot read nowhere" in child.stderr.read()


@pytest.mark.parametrize("host", ["203.0.113.7", "no.such.host.test"])
def test_an_address_of_another_machine_says_what_to_set(host, start):
    child = start("--models", str(TINY), "--host", host)
    assert child.wait(timeout=60) == 1
    told = child.stderr.read()
    assert f"cannot listen on {host}:0: " in told
    assert "set host to an address of this machine" in told
    assert "another sidecar" not in told


def test_without_tls_and_keys_the_open_network_is_warned_of(start):
    child = start("--models", str(TINY), "--host", "0.0.0.0")
    assert "ready on 0.0.0.0:" in child.stdout.readline()
    child.terminate()
    assert child.wait(timeout=60) == 0
    (warning,) = [json.loads(line) for line in child.stderr.read().splitlines() if "open to the network" in line]
    assert warning["level"] == "warning"
    assert "set api_keys" in warning["detail"]
    assert "set tls_cert and tls_key" in warning["detail"]


def test_calls_are_served_after_sigterm_for_load_balancers(start):
    child = start("--models", str(TINY), "--drain-wait-s", "600")
    with grpc.insecure_channel(address_of(child)) as channel:
        statuses = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(statuses).status == health_pb2.HealthCheckResponse.SERVING
        child.send_signal(signal.SIGTERM)
        assert next(statuses).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert rerank_pb2_grpc.ModelRegistryStub(channel).List(pb.ListModelsRequest()).models


def test_the_health_command_says_when_nothing_answers():
    down = health_of("--address", "127.0.0.1:1")
    assert (down.returncode, "UNAVAILABLE" in down.stderr) == (1, True)


def test_exits_when_its_parent_closes_stdin(start):
    child = start("--models", str(TINY), "--exit-with-parent")
    address_of(child)
    child.stdin.close()
    assert child.wait(timeout=60) == 0
    child.stdin = None


def test_a_second_sidecar_on_a_port_says_so_and_exits_1(start):
    port = address_of(start("--models", str(TINY))).rsplit(":", 1)[1]
    second = start("--models", str(TINY), "--port", port)
    assert second.wait(timeout=60) == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; another sidecar may be" in second.stderr.read()


def test_a_folder_without_models_is_named_and_exits_1(start, tmp_path):
    child = start("--models", str(tmp_path))
    assert child.wait(timeout=60) == 1
    assert f"the sidecar cannot start: {tmp_path}: no model.toml here" in child.stderr.read()


@pytest.mark.parametrize("flags", [("--models", "shipped:missing"), ("--models", str(TINY), "--api-keys", "missing")])
def test_a_path_that_is_missing_is_named_with_its_setting(start, flags):
    child = start(*flags)
    assert child.wait(timeout=60) == 1
    said = child.stderr.read()
    assert "missing: " in said
    assert flags[-2].strip("-").replace("-", "_") in said
    assert "Errno" not in said


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (("--precision", "int8"), "precision int8: this model is here at fp32 only"),
        (("--device", "cuda"), "device cuda: this ONNX Runtime offers"),
    ],
)
def test_a_precision_or_device_that_is_not_there_exits_1(start, flags, problem):
    child = start("--models", str(TINY), *flags)
    assert child.wait(timeout=60) == 1
    assert f"the sidecar cannot start: {TINY}: {problem}" in child.stderr.read()


def test_a_misspelt_variable_exits_2(start):
    child = start(HYBRIDRANK_SIDECAR_THREAD="1")
    assert child.wait(timeout=60) == 2
    assert "HYBRIDRANK_SIDECAR_THREAD: no such setting" in child.stderr.read()


def test_a_flag_that_does_not_exist_exits_2(start):
    child = start("--treads", "1")
    assert child.wait(timeout=60) == 2
    assert "--treads" in child.stderr.read()


def test_the_helper_yields_a_sidecar_that_answers_and_stops_it():
    with sidecar_process(models=TINY, settings={"threads": "1"}) as sidecar:
        with grpc.insecure_channel(sidecar.address) as channel:
            models = rerank_pb2_grpc.ModelRegistryStub(channel).List(pb.ListModelsRequest()).models
        assert [model.name for model in models] == ["tiny-encoder"]
        os.kill(sidecar.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(sidecar.pid, 0)


def test_the_helper_survives_a_sidecar_that_was_killed():
    with sidecar_process(models=TINY) as sidecar:
        os.kill(sidecar.pid, signal.SIGKILL)


def test_the_helper_says_why_a_sidecar_did_not_start(tmp_path):
    with (
        pytest.raises(SidecarNotStarted, match=r"(?s)ended with status 1.*no model\.toml here"),
        sidecar_process(models=tmp_path),
    ):
        pytest.fail("it started")


def test_starting_a_sidecar_fails_if_it_is_not_ready_in_time():
    with pytest.raises(SidecarNotStarted, match=r"was not ready after 0\.01 s"), sidecar_process(timeout_s=0.01):
        pytest.fail("it started")


def test_the_helper_works_from_another_thread():
    addresses = []

    def use():
        with sidecar_process(models=TINY) as sidecar:
            addresses.append(sidecar.address)

    thread = threading.Thread(target=use)
    thread.start()
    thread.join(60)
    assert addresses[0].startswith("127.0.0.1:")
