"""The worker: order, turns, refusals, and work that nobody waits for any more."""

import asyncio
import threading

import numpy as np
import pytest

from sidecar.batching.worker import Worker
from sidecar.errors import Overloaded


class Compute:
    """The length of each input; a batch waits for the gate and is kept in `seen` once it ran."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.gate, self.started, self.seen = threading.Event(), threading.Event(), []
        if is_open:
            self.gate.set()

    def __call__(self, inputs):
        self.started.set()
        assert self.gate.wait(timeout=60)
        self.seen.append(list(inputs))
        return np.array([len(one) for one in inputs], dtype=np.float32)

    async def has_started(self):
        assert await asyncio.to_thread(self.started.wait, 60)


@pytest.fixture
def worker():
    worker = Worker(threads=1, max_queue_tokens=100)
    yield worker
    worker.close()


async def test_rows_come_back_in_the_order_of_the_inputs(worker):
    computed = await worker.run(["aaa", "a", "aaaa", "aa"], Compute(), max_batch_tokens=5)
    assert [float(row) for row in computed.rows] == [3, 1, 4, 2]
    assert computed.queue_ms >= 0
    assert computed.compute_ms > 0


async def test_nothing_in_nothing_out(worker):
    assert (await worker.run([], Compute(), max_batch_tokens=5)).rows == []


async def test_requests_take_turns_a_batch_each(worker):
    compute = Compute(is_open=False)
    long = asyncio.create_task(worker.run(["l" * 5] * 4, compute, max_batch_tokens=1))
    await compute.has_started()
    short = asyncio.create_task(worker.run(["s"], compute, max_batch_tokens=1))
    await asyncio.sleep(0)
    compute.gate.set()
    await asyncio.gather(long, short)
    assert [batch[0][0] for batch in compute.seen] == ["l", "l", "s", "l", "l"]


async def test_several_threads_compute_at_once():
    worker = Worker(threads=2, max_queue_tokens=100)
    both = threading.Barrier(2, timeout=60)

    def meet(inputs):
        both.wait()  # breaks, and fails the request, unless a second batch runs meanwhile
        return np.zeros(len(inputs), dtype=np.float32)

    assert len((await worker.run(["a", "b"], meet, max_batch_tokens=1)).rows) == 2
    worker.close()


async def test_batches_of_a_cancelled_request_never_begin(worker):
    compute = Compute(is_open=False)
    request = asyncio.create_task(worker.run(["a"] * 10, compute, max_batch_tokens=1))
    await compute.has_started()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    compute.gate.set()
    await worker.run(["after"], compute, max_batch_tokens=1)
    assert compute.seen == [["a"], ["after"]]


async def test_a_request_that_does_not_fit_is_refused_whole_and_at_once(worker):
    compute = Compute(is_open=False)
    first = asyncio.create_task(worker.run(["a" * 30] * 4, compute, max_batch_tokens=1))  # 30 run, 90 wait
    await compute.has_started()
    with pytest.raises(Overloaded, match=r"90 of 100 tokens and this request has 11") as refused:
        await worker.run(["b" * 11], compute, max_batch_tokens=1)
    assert refused.value.retry_after_s >= 1
    fits = asyncio.create_task(worker.run(["c" * 10], compute, max_batch_tokens=1))
    await asyncio.sleep(0)
    compute.gate.set()
    await asyncio.gather(first, fits)
    assert ["b" * 11] not in compute.seen


async def test_a_request_larger_than_the_queue_is_admitted_when_nothing_waits(worker):
    computed = await worker.run(["a" * 150] * 2, Compute(), max_batch_tokens=1)
    assert len(computed.rows) == 2


async def test_a_cancelled_request_makes_room_for_another(worker):
    compute = Compute(is_open=False)
    first = asyncio.create_task(worker.run(["a" * 30] * 4, compute, max_batch_tokens=1))
    await compute.has_started()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(worker.run(["b" * 40] * 2, compute, max_batch_tokens=1))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="80 of 100"):
        await worker.run(["c" * 21], compute, max_batch_tokens=1)
    compute.gate.set()
    assert len((await second).rows) == 2


async def test_an_error_reaches_its_own_request_and_no_other(worker):
    def fail(inputs):
        raise ZeroDivisionError("broken model")

    with pytest.raises(ZeroDivisionError, match="broken model"):
        await worker.run(["a"] * 3, fail, max_batch_tokens=1)
    assert len((await worker.run(["a"], Compute(), max_batch_tokens=1)).rows) == 1
