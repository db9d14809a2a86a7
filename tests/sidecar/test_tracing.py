"""Traces, from a real sidecar process to a real receiver of OTLP: whose span is whose, and no word of a caller."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass

import httpx
import pytest
from opentelemetry import trace
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hybridrank.connector.errors import SidecarError
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.connector.sidecar_client.client import SidecarClient
from hybridrank.sidecar.app.settings import load_settings
from hybridrank.sidecar.transport.telemetry.tracing import Tracing
from hybridrank.sidecar.transport.telemetry.tracing_setup import tracing_to
from tests.golden.sidecar import FOLDER
from tests.sidecar.otlp_receiver import EXPORT, attributes, receiving

MODEL = "tiny-cross-encoder"
# Letters that no name of ours has, so that finding them means that a caller was quoted.
SECRET = "xqzzy"
LATE = {"OTEL_BSP_SCHEDULE_DELAY": "600000"}  # so that only the end of the process sends
tracer = TracerProvider(shutdown_on_exit=False).get_tracer("the application")


@dataclass(frozen=True)
class Running:
    """A sidecar, and where its two faces are."""

    child: subprocess.Popen
    address: str
    url: str

    def stop(self) -> str:
        """SIGTERM; its log, when it has ended well."""
        self.child.send_signal(signal.SIGTERM)
        _, log = self.child.communicate(timeout=60)
        assert self.child.returncode == 0, log
        return log


@pytest.fixture
def start():
    """Start `python -m hybridrank.sidecar` with flags and variables; whatever still runs at the end is killed."""
    children = []

    def start(*flags, **variables):
        command = [
            sys.executable,
            "-m",
            "hybridrank.sidecar",
            "--port",
            "0",
            "--http-port",
            "0",
            "--models",
            str(FOLDER / MODEL),
        ]
        child = subprocess.Popen(
            [*command, *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
        )
        children.append(child)
        first, second = child.stdout.readline(), child.stdout.readline()
        return Running(child, first.rpartition(" ")[2].strip(), second.rpartition(" ")[2].strip())

    yield start
    for child in children:
        child.kill()
        child.communicate()


def rescore(address, model=MODEL):
    """A call of our own client, of which every word is secret."""

    async def call():
        async with SidecarClient(address) as client:
            passages = [Passage(f"{SECRET}-id", f"{SECRET} one"), Passage(f"{SECRET}-id", f"{SECRET} two")]
            await client.rescore(f"{SECRET} query", passages, model=model, timeout_s=30)

    asyncio.run(call())


def test_the_clients_span_is_the_parent_and_spans_quote_no_texts(start):
    with receiving() as receiver:
        sidecar = start("--otlp-endpoint", receiver.url, **LATE)
        headers = {"x-request-id": f"{SECRET}-request"}
        body = {"query": f"{SECRET} query", "documents": [f"{SECRET} three"], "model": MODEL}
        with tracer.start_as_current_span("a search") as over_grpc:
            rescore(sidecar.address)
            with pytest.raises(SidecarError):
                rescore(sidecar.address, model=f"{SECRET}-model")
        with tracer.start_as_current_span("another") as over_http:
            TraceContextTextMapPropagator().inject(headers)
            httpx.post(f"{sidecar.url}/v1/rerank?{SECRET}", json=body, headers=headers, timeout=60).raise_for_status()
            httpx.get(f"{sidecar.url}/{SECRET}")
        assert not receiver.messages
        log = sidecar.stop()

    def ours(parent):
        span = parent.get_span_context()
        found = receiver.below(span.span_id.to_bytes(8, "big"))
        assert {each.trace_id for each in found} == {span.trace_id.to_bytes(16, "big")}
        return found

    answered, refused = ours(over_grpc)
    assert answered.name == refused.name == "hybridrank.v1.Reranker/Rerank"
    assert answered.kind == Span.SPAN_KIND_SERVER
    grpc_call = {"rpc.system.name": "grpc", "rpc.method": "hybridrank.v1.Reranker/Rerank"}
    answer = {"hybridrank.model": MODEL, "hybridrank.outcome": "ok"}
    tokens = attributes(answered).get("hybridrank.tokens")
    assert tokens > 0
    counts = {"hybridrank.texts": 2, "hybridrank.tokens": tokens, "rpc.response.status_code": "OK"}
    assert attributes(answered) == {**grpc_call, **answer, **counts}
    mistake = {"hybridrank.outcome": "invalid", "rpc.response.status_code": "NOT_FOUND", "error.type": "ModelNotFound"}
    assert attributes(refused) == {**grpc_call, **mistake}
    assert refused.status.code == Status.STATUS_CODE_UNSET

    (over_http_span,) = ours(over_http)
    assert over_http_span.name == "POST /v1/rerank"
    assert attributes(over_http_span) == {
        **answer,
        "hybridrank.texts": 1,
        "hybridrank.tokens": attributes(over_http_span)["hybridrank.tokens"],
        "http.request.method": "POST",
        "http.route": "/v1/rerank",
        "http.response.status_code": 200,
    }

    for span in (answered, over_http_span):
        stages = receiver.below(span.span_id)
        assert [stage.name for stage in stages] == ["tokenize", "queue", "compute"]
        times = [time for stage in stages for time in (stage.start_time_unix_nano, stage.end_time_unix_nano)]
        assert [span.start_time_unix_nano, *times, span.end_time_unix_nano] == sorted(
            [span.start_time_unix_nano, *times, span.end_time_unix_nano]
        )
    assert not receiver.below(refused.span_id)

    assert len(receiver.spans) == 3 + 2 * 3
    assert not any(SECRET.encode() in message for message in receiver.messages)
    assert receiver.paths == {EXPORT}
    assert receiver.scopes == {"hybridrank.sidecar"}
    assert attributes(receiver.resources[0].resource)["service.name"] == "hybridrank-sidecar"
    traced = [line["trace_id"] for line in map(json.loads, log.splitlines()) if line["event"] == "call"]
    assert traced == [span.trace_id.hex() for span in (answered, refused, over_http_span)]


def test_a_call_begins_a_missing_trace_and_keeps_unsampled_ones(start):
    with receiving() as receiver:
        sidecar = start("--otlp-endpoint", receiver.url, OTEL_BSP_SCHEDULE_DELAY="50")
        body = {"query": "a", "documents": ["b"]}
        unsampled = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-00"}
        httpx.post(f"{sidecar.url}/v1/rerank", json=body, headers=unsampled, timeout=60).raise_for_status()
        broken = {"traceparent": "00-nonsense"}
        httpx.post(f"{sidecar.url}/v1/rerank", json=body, headers=broken, timeout=60).raise_for_status()
        assert receiver.came.wait(60)  # while it runs, not only at its end
        sidecar.stop()
    assert [span.name for span in receiver.spans if not span.parent_span_id] == ["POST /v1/rerank"]
    assert not any(span.trace_id.hex() == "a" * 32 for span in receiver.spans)


def test_opentelemetrys_own_variables_hold(start):
    named = {"OTEL_SERVICE_NAME": "reranker-7", "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=staging"}
    with receiving() as receiver:
        sidecar = start("--otlp-endpoint", receiver.url, OTEL_EXPORTER_OTLP_HEADERS="x-tenant=t1", **LATE, **named)
        rescore(sidecar.address)
        sidecar.stop()
        assert receiver.metadata[0]["x-tenant"] == "t1"
        resource = attributes(receiver.resources[0].resource)
        assert resource["service.name"] == "reranker-7"
        assert resource["deployment.environment.name"] == "staging"

        receiver.messages.clear()
        off = start("--otlp-endpoint", receiver.url, OTEL_TRACES_SAMPLER="always_off", **LATE)
        rescore(off.address)
        off.stop()
        assert not receiver.messages


def test_without_the_setting_variables_send_no_spans(start):
    with receiving() as receiver:
        ambient = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "FASTAPI_OTEL_AUTO_CONFIGURE": "true"}
        sidecar = start(**ambient, OTEL_BSP_SCHEDULE_DELAY="50")
        with tracer.start_as_current_span("a search"):
            rescore(sidecar.address)
        assert "trace_id" not in sidecar.stop()
    assert not receiver.paths


@pytest.mark.parametrize("listens", [True, False], ids=["silent", "absent"])
def test_an_endpoint_that_is_away_holds_up_no_call_and_no_exit(start, listens):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        port = silent.getsockname()[1]
        patient = {"OTEL_EXPORTER_OTLP_TIMEOUT": "100", "OTEL_BSP_SCHEDULE_DELAY": "50"}
        sidecar = start("--otlp-endpoint", f"http://127.0.0.1:{port}", "--drain-s", "2", **patient)
        for _ in range(3):
            rescore(sidecar.address)
        sidecar.child.send_signal(signal.SIGTERM)
        _, log = sidecar.child.communicate(timeout=20)  # the exporter alone would try for half a minute or more
    assert sidecar.child.returncode == 0
    assert [json.loads(line)["event"] for line in log.splitlines()].count("call") == 3


RUN = """
import os, sys
for name in {missing}:
    sys.modules[name] = None
from hybridrank.sidecar.__main__ import main
exit = os._exit
def show_and_exit(code):
    print(sorted(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))))
    sys.stdout.flush()
    exit(code)
os._exit = show_and_exit
sys.exit(main(sys.argv[1:]))
"""


def run(*flags, missing=()):
    """A sidecar that stops as soon as it is ready."""
    model = ("--models", str(FOLDER / MODEL))
    command = [sys.executable, "-c", RUN.format(missing=missing), "--port", "0", "--http-port", "0", *model, *flags]
    command.append("--exit-with-parent")
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120)


def test_without_the_setting_nothing_of_the_extra_is_imported():
    done = run()
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[]"), done.stderr
    assert "ready on" in done.stdout


def test_without_the_extra_the_setting_says_how_to_install_it():
    done = run("--otlp-endpoint", "http://127.0.0.1:4317", missing=("opentelemetry.sdk",))
    assert done.returncode == 1
    assert "opentelemetry.sdk" in done.stderr
    assert "pip install 'hybridrank[otel]'" in done.stderr


def test_no_endpoint_is_no_tracing():
    assert type(tracing_to(None)) is Tracing
    assert load_settings().otlp_endpoint is None


@pytest.mark.parametrize("url", ["localhost:4317", "http://a:4318/v1/traces", "https://user:secret@a:4317", "http://"])
def test_an_endpoint_that_grpc_cannot_take_is_refused(url):
    with pytest.raises(ValueError, match="write http://HOST:PORT"):
        load_settings(["--otlp-endpoint", url])


QUIET = """
import asyncio
import httpx
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from fastapi import FastAPI
from hybridrank.sidecar.readiness import Readiness
from hybridrank.sidecar.transport.http.app import make_app
from hybridrank.sidecar.transport.http.calls import Face

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)

async def ask(app):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as http:
        assert (await http.get("/openapi.json?words=of-a-caller")).status_code == 200
    return len(spans.get_finished_spans())

print(asyncio.run(ask(make_app(Face(None, Readiness(), 1)))), asyncio.run(ask(FastAPI())) > 0)
"""


def test_fastapi_sends_no_spans_even_if_instrumented():
    done = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "0 True\n"


def test_tracing_leaves_the_global_provider_unset():
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
