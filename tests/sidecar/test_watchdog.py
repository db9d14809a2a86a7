"""A batch that never ends: its callers are told, its thread is replaced, and readiness says so."""

import asyncio
import signal
import subprocess
import sys

import grpc
import pytest

from hybridrank.sidecar.app.watchdog import REASON, Watchdog
from hybridrank.sidecar.batching.worker import BatchStuck, Worker
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.protocol import rerank_pb2_grpc
from hybridrank.sidecar.readiness import Readiness
from tests.sidecar.serving import rerank_request
from tests.sidecar.test_worker import Compute, run, values


@pytest.fixture
def worker():
    worker = Worker(threads=2, max_queue_tokens=100)
    yield worker
    worker.close()


async def test_a_stuck_batch_fails_its_request_and_others_go_on(worker):
    stuck, slow, ready = Compute(is_open=False), Compute(is_open=False), Compute()
    stuck_run = asyncio.create_task(run(worker, ["aa"], stuck))
    await stuck.has_started()
    assert worker.give_up(older_than_s=3600) == 0
    assert worker.give_up(older_than_s=0) == 1
    with pytest.raises(BatchStuck):
        await stuck_run
    slow_run = asyncio.create_task(run(worker, ["bbb"], slow))
    await slow.has_started()
    assert values(await run(worker, ["c"], ready)) == [1]
    stuck.gate.set()
    slow.gate.set()
    assert values(await slow_run) == [3]
    assert worker.totals.stuck == 1
    assert worker.admissions.queued_tokens == 0


async def test_every_thread_is_replaced_and_all_of_them_compute(worker):
    stuck = [Compute(is_open=False), Compute(is_open=False)]
    runs = [asyncio.create_task(run(worker, ["aa"], one)) for one in stuck]
    for one in stuck:
        await one.has_started()
    assert worker.give_up(older_than_s=0) == 2
    assert all(isinstance(end, BatchStuck) for end in await asyncio.gather(*runs, return_exceptions=True))
    together = [Compute(is_open=False), Compute(is_open=False)]
    runs = [asyncio.create_task(run(worker, ["b"], one)) for one in together]
    for one in together:
        await one.has_started()
    for one in (*together, *stuck):
        one.gate.set()
    assert [values(computed) for computed in await asyncio.gather(*runs)] == [[1], [1]]


async def test_a_late_result_of_a_stuck_batch_is_not_used(worker):
    stuck = Compute(is_open=False)
    key = object()
    first = asyncio.create_task(run(worker, ["aa"], stuck, keys=[key]))
    await stuck.has_started()
    worker.give_up(older_than_s=0)
    with pytest.raises(BatchStuck):
        await first
    again = Compute(is_open=False)
    second = asyncio.create_task(run(worker, ["aaaa"], again, keys=[key]))
    await again.has_started()
    stuck.gate.set()
    again.gate.set()
    assert values(await second) == [4]


async def test_all_requests_that_share_the_stuck_batch_fail(worker):
    stuck = Compute(is_open=False)
    key = object()
    runs = [asyncio.create_task(run(worker, ["aa"], stuck, keys=[key])) for _ in range(2)]
    await stuck.has_started()
    assert worker.give_up(older_than_s=0) == 1
    assert all(isinstance(end, BatchStuck) for end in await asyncio.gather(*runs, return_exceptions=True))
    stuck.gate.set()


async def test_readiness_is_off_until_a_look_finds_all_well(worker):
    readiness = Readiness()
    stop = asyncio.Event()
    watchdog = Watchdog(worker, readiness, max_batch_s=0, threads=2, stop=stop)
    stuck = Compute(is_open=False)
    stuck_run = asyncio.create_task(run(worker, ["aa"], stuck))
    await stuck.has_started()
    await watchdog.look()
    assert readiness.reasons == (REASON,)
    await watchdog.look()
    assert readiness.reasons == ()
    assert not stop.is_set()
    stuck.gate.set()
    with pytest.raises(BatchStuck):
        await stuck_run


async def test_the_process_stops_when_all_threads_are_lost(worker):
    readiness = Readiness()
    stop = asyncio.Event()
    watchdog = Watchdog(worker, readiness, max_batch_s=0, threads=2, stop=stop)
    lost = []
    for _ in range(2):
        stuck = Compute(is_open=False)
        lost.append((stuck, asyncio.create_task(run(worker, ["aa"], stuck))))
        await stuck.has_started()
        await watchdog.look()
    assert watchdog.hopeless
    assert stop.is_set()
    await watchdog.look()
    assert readiness.reasons == (REASON,)
    for stuck, stuck_run in lost:
        stuck.gate.set()
        with pytest.raises(BatchStuck):
            await stuck_run


STUCK_SIDECAR = """
import sys, threading
from hybridrank.sidecar.models import loading
from hybridrank.sidecar.__main__ import main
from hybridrank.sidecar.models.catalog import Models
from tests.sidecar.doubles import GatedReranker, loaded

loading.load = lambda _roots, **_options: Models([loaded(GatedReranker())])
sys.exit(main(["--port", "0", "--http-port", "-1", *sys.argv[1:]]))
"""


@pytest.fixture
def stuck_sidecar():
    """Start a process of the sidecar whose model never answers; whatever still runs at the end is killed."""
    children = []

    def start(*flags):
        child = subprocess.Popen(
            [sys.executable, "-c", STUCK_SIDECAR, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        children.append(child)
        return child, child.stdout.readline().removeprefix("hybridrank sidecar ready on ").strip()

    yield start
    for child in children:
        child.kill()
        child.communicate()


def test_a_process_with_all_threads_stuck_tells_callers_and_ends(stuck_sidecar):
    child, address = stuck_sidecar("--threads", "1", "--max-batch-s", "0.2")
    with grpc.insecure_channel(address) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            rerank_pb2_grpc.RerankerStub(channel).Rerank(rerank_request("gated", "a", "a"))
        assert refused.value.code() is grpc.StatusCode.INTERNAL
    assert child.wait(timeout=60) == 1
    log = child.stderr.read()
    assert '"event": "stuck"' in log
    assert '"event": "draining"' in log


def test_a_process_with_a_stuck_batch_still_ends_when_told_to(stuck_sidecar):
    child, address = stuck_sidecar("--threads", "1", "--drain-s", "0.2")
    with grpc.insecure_channel(address) as channel:
        running = rerank_pb2_grpc.RerankerStub(channel).Rerank.future(rerank_request("gated", "a", "a"))
        rerank_pb2_grpc.ModelRegistryStub(channel).List(pb.ListModelsRequest())
        child.send_signal(signal.SIGTERM)
        assert running.exception().code() is grpc.StatusCode.UNAVAILABLE
    assert child.wait(timeout=60) == 0
