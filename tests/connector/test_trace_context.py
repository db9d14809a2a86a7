"""Calls carry the trace of the application, where it has one; nothing of it is imported otherwise."""

import asyncio
import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState, use_span

from hybridrank.connector import HybridSearch, Rescore, SearchRequest, SyncHybridSearch
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.connector.sidecar_client.client import SidecarClient
from hybridrank.connector.sidecar_client.trace_context import trace_context
from tests.connector.serving import Answering, result
from tests.contracts.passages import DEFINITION, PASSAGES

TRACE, SPAN = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331  # the example of the specification


def span(state=()):
    context = SpanContext(TRACE, SPAN, is_remote=False, trace_flags=TraceFlags(1), trace_state=TraceState(state))
    return use_span(NonRecordingSpan(context))


def test_worked_example():
    with span():
        assert trace_context() == (("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),)


def test_the_state_goes_along():
    with span([("vendor", "1")]):
        assert dict(trace_context())["tracestate"] == "vendor=1"


def test_no_trace_context_without_an_active_span():
    assert trace_context() == ()
    TracerProvider(shutdown_on_exit=False).get_tracer("idle").start_span("started, but not active").end()
    assert trace_context() == ()


async def test_each_call_carries_it_beside_the_key(servers):
    servicer = Answering([result(0, 1.0)])
    address = await servers.start(servicer)
    async with SidecarClient(address, api_key="a-key-0123456789") as client:
        for context in (span(), None):
            if context:
                with context:
                    await client.rescore("q", [Passage("d", "t")], model="m", timeout_s=5)
            else:
                await client.rescore("q", [Passage("d", "t")], model="m", timeout_s=5)
    traced, plain = servicer.metadata
    assert traced["traceparent"] == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert traced["authorization"] == plain["authorization"] == "Bearer a-key-0123456789"
    assert "traceparent" not in plain


async def test_async_and_sync_search_send_trace_context_to_the_sidecar(servers, tmp_path):
    engine = EmbeddedEngine(tmp_path)
    await engine.create_index("menu", DEFINITION)
    await engine.index_documents("menu", PASSAGES)
    await engine.refresh("menu")
    servicer = Answering([result(0, 1.0)])
    address = await servers.start(servicer)
    request = SearchRequest(
        index="menu", query_text="green tea", query_vector=(1.0, 0.0, 0.0), rescore=Rescore(model="m")
    )

    def search():
        with SyncHybridSearch(f"embedded:{tmp_path}", address) as search, span():
            search.search(request)

    async with SidecarClient(address) as client:
        with span():
            await HybridSearch(engine, client).search(request)
    await asyncio.to_thread(search)
    traces = [metadata["traceparent"] for metadata in servicer.metadata]
    assert traces == ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"] * 2


@pytest.mark.parametrize("installed", [True, False])
def test_the_connector_imports_nothing_of_it(installed):
    code = (
        ("" if installed else "import sys; sys.modules['opentelemetry'] = None\n")
        + "import sys, hybridrank.connector\n"
        + "from hybridrank.connector.sidecar_client.trace_context import trace_context\n"
        + "print(trace_context(), [name for name in sys.modules if name.startswith('opentelemetry.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "() []\n"
