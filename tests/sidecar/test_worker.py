"""The worker: order, turns, refusals, deadlines, shared inputs, and work that nobody waits for any more."""

import asyncio
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.errors import DeadlinePassed, DeadlineUnreachable, Overloaded


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


async def run(worker, inputs, compute, *, max_batch_tokens=1, keys=None, estimate=None, **admission):
    """Admit and run; every input has a key of its own, unless `keys` says which are equal."""
    tokens = sum(map(len, inputs)) if estimate is None else estimate
    with worker.admissions.admit(tokens, model="lengths", **admission) as admitted:
        by_key = dict(zip(keys or [object() for _ in inputs], inputs, strict=True))
        return await worker.run(admitted, by_key, compute, max_batch_tokens=max_batch_tokens)


def values(computed):
    return [float(row) for row in computed.rows.values()]


@pytest.fixture
def worker():
    worker = Worker(threads=1, max_queue_tokens=100)
    yield worker
    worker.close()


@pytest.fixture
def wide():
    """A worker for texts of thousands of letters, whose patience is seconds: more than a test is ever held up."""
    worker = Worker(threads=1, max_queue_tokens=10**9)
    yield worker
    worker.close()


async def test_rows_come_back_in_the_order_of_the_inputs(worker):
    computed = await run(worker, ["aaa", "a", "aaaa", "aa"], Compute(), max_batch_tokens=5)
    assert values(computed) == [3, 1, 4, 2]
    assert computed.queue_ms >= 0
    assert computed.compute_ms > 0


async def test_nothing_in_nothing_out(worker):
    assert (await run(worker, [], Compute(), max_batch_tokens=5)).rows == {}


async def test_a_short_request_does_not_wait_behind_a_long_one(wide):
    compute = Compute(is_open=False)
    long = asyncio.create_task(run(wide, ["l" * 50_000] * 4, compute))
    await compute.has_started()
    short = asyncio.create_task(run(wide, ["s"], compute))
    await asyncio.sleep(0)
    compute.gate.set()
    await asyncio.gather(long, short)
    assert [batch[0][0] for batch in compute.seen] == ["l", "s", "l", "l", "l"]


async def test_several_threads_compute_at_once():
    worker = Worker(threads=2, max_queue_tokens=100)
    both = threading.Barrier(2, timeout=60)

    def meet(inputs):
        both.wait()  # breaks, and fails the request, unless a second batch runs meanwhile
        return np.zeros(len(inputs), dtype=np.float32)

    assert len((await run(worker, ["a", "b"], meet)).rows) == 2
    worker.close()


async def test_batches_of_a_cancelled_request_never_begin(worker):
    compute = Compute(is_open=False)
    request = asyncio.create_task(run(worker, ["a"] * 10, compute))
    await compute.has_started()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    compute.gate.set()
    await run(worker, ["after"], compute)
    assert compute.seen == [["a"], ["after"]]


async def test_a_request_that_does_not_fit_is_refused_whole(worker):
    compute = Compute(is_open=False)
    first = asyncio.create_task(run(worker, ["a" * 30] * 4, compute))  # 30 run, 90 wait
    await compute.has_started()
    with pytest.raises(Overloaded, match=r"90 of 100 tokens and this request has 11") as refused:
        await run(worker, ["b" * 11], compute)
    assert refused.value.retry_after_s >= 1
    fits = asyncio.create_task(run(worker, ["c" * 10], compute))
    await asyncio.sleep(0)
    compute.gate.set()
    await asyncio.gather(first, fits)
    assert ["b" * 11] not in compute.seen


async def test_a_request_larger_than_the_queue_is_admitted_when_idle(worker):
    computed = await run(worker, ["a" * 150] * 2, Compute())
    assert len(computed.rows) == 2


async def test_a_cancelled_request_makes_room_for_another(worker):
    compute = Compute(is_open=False)
    first = asyncio.create_task(run(worker, ["a" * 30] * 4, compute))
    await compute.has_started()
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second = asyncio.create_task(run(worker, ["b" * 40] * 2, compute))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="80 of 100"):
        await run(worker, ["c" * 21], compute)
    compute.gate.set()
    assert len((await second).rows) == 2


async def test_an_error_reaches_its_own_request_and_no_other(worker):
    def fail(inputs):
        raise ZeroDivisionError("broken model")

    with pytest.raises(ZeroDivisionError, match="broken model"):
        await run(worker, ["a"] * 3, fail)
    assert len((await run(worker, ["a"], Compute())).rows) == 1


async def test_the_request_that_is_due_first_is_next(wide):
    compute = Compute(is_open=False)
    busy = asyncio.create_task(run(wide, ["x"], compute))
    await compute.has_started()
    now = time.monotonic()
    # Patience is 0.5 ms a token: a is due after 10 s, b after 20, c after 30, and d, by its deadline, after 15.
    asked = (("c", 60_000, 100), ("b", 40_000, None), ("d", 80_000, 15), ("a", 20_000, 99))
    requests = [
        asyncio.create_task(run(wide, [name * tokens], compute, deadline=seconds and now + seconds))
        for name, tokens, seconds in asked
    ]
    await asyncio.sleep(0)
    compute.gate.set()
    await asyncio.gather(busy, *requests)
    assert [batch[0][0] for batch in compute.seen] == ["x", "a", "d", "b", "c"]


async def test_a_request_that_would_be_late_is_never_computed(worker):
    worker.admissions.pace.measured("lengths", tokens=10, seconds=10.0)
    compute = Compute()
    with pytest.raises(DeadlineUnreachable, match=r"about 20000 ms; \d+ are left"):
        await run(worker, ["a" * 20], compute, deadline=time.monotonic() + 15)
    assert len((await run(worker, ["a" * 20], compute, deadline=time.monotonic() + 25)).rows) == 1
    assert compute.seen == [["a" * 20]]


async def test_only_work_due_earlier_counts_for_admission(wide):
    wide.admissions.pace.measured("lengths", tokens=1000, seconds=1.0)
    compute = Compute(is_open=False)
    busy = asyncio.create_task(run(wide, ["x"], compute))
    await compute.has_started()
    deadline = time.monotonic() + 60
    ahead = asyncio.create_task(run(wide, ["a" * 40_000], compute))
    after = asyncio.create_task(run(wide, ["b" * 90_000], compute))
    await asyncio.sleep(0)
    with pytest.raises(DeadlineUnreachable, match=r"about 9000\d ms"):
        await run(wide, ["c" * 50_000], compute, deadline=deadline)
    fits = asyncio.create_task(run(wide, ["d" * 20_000], compute, deadline=deadline))
    await asyncio.sleep(0)
    compute.gate.set()
    await asyncio.gather(busy, ahead, after, fits)
    assert [batch[0][0] for batch in compute.seen] == ["x", "d", "a", "b"]


async def test_a_request_that_would_delay_admitted_ones_is_refused(wide):
    wide.admissions.pace.measured("lengths", tokens=1000, seconds=1.0)
    compute = Compute(is_open=False)
    busy = asyncio.create_task(run(wide, ["x"], compute))
    await compute.has_started()
    now = time.monotonic()
    # At a millisecond a token it needs 30 of its 50 seconds: with 20 more it would be late, and with 14 more nearly.
    promised = asyncio.create_task(run(wide, ["p" * 30_000], compute, deadline=now + 50))
    await asyncio.sleep(0)
    for tokens in (20_000, 14_000):
        with pytest.raises(
            Overloaded, match="1 requests that were let in before might miss their deadlines"
        ) as refused:
            await run(wide, ["n" * tokens], compute)
        assert refused.value.retry_after_s == 30
    others = [
        asyncio.create_task(run(wide, [text], compute, deadline=deadline))
        for text, deadline in (("f" * 12_000, None), *[("s" * 64, None)] * 10, ("a" * 90_000, now + 500))
    ]
    await asyncio.sleep(0)
    compute.gate.set()
    await asyncio.gather(busy, promised, *others)
    assert [batch[0][0] for batch in compute.seen] == ["x", *["s"] * 10, "f", "p", "a"]


async def test_a_request_needs_spare_time_only_beside_others(worker):
    worker.admissions.pace.measured("lengths", tokens=10, seconds=10.0)
    compute = Compute(is_open=False)
    tight = asyncio.create_task(run(worker, ["a" * 20], compute, deadline=time.monotonic() + 22))
    await compute.has_started()
    with pytest.raises(DeadlineUnreachable, match=r"about 30000 ms; 3[56]"):  # half of a, and its own 20
        await run(worker, ["b" * 20], compute, deadline=time.monotonic() + 36)
    spare = asyncio.create_task(run(worker, ["c" * 20], compute, deadline=time.monotonic() + 60))
    await asyncio.sleep(0)
    compute.gate.set()
    await asyncio.gather(tight, spare)
    assert compute.seen == [["a" * 20], ["c" * 20]]


async def test_estimates_are_corrected_by_what_the_texts_before_had(worker):
    compute = Compute()
    await run(worker, ["a" * 20], compute, estimate=10)
    with worker.admissions.admit(30, model="lengths") as admitted:
        assert admitted.tokens == 60
    with worker.admissions.admit(30, model="another") as admitted:
        assert admitted.tokens == 30


async def test_a_true_count_beyond_the_estimate_is_refused_too(worker):
    worker.admissions.pace.measured("lengths", tokens=10, seconds=10.0)
    compute = Compute()
    with pytest.raises(DeadlineUnreachable):
        await run(worker, ["a" * 20], compute, estimate=1, deadline=time.monotonic() + 15)
    assert compute.seen == []


async def test_when_the_deadline_passes_the_rest_is_not_computed(worker):
    compute = Compute(is_open=False)
    with pytest.raises(DeadlinePassed, match="0 of 3 were ready"):
        await run(worker, ["a"] * 3, compute, deadline=time.monotonic() + 0.1)
    compute.gate.set()
    await run(worker, ["after"], compute)
    assert compute.seen == [["a"], ["after"]]


async def test_best_effort_returns_the_first_that_are_ready(worker):
    gate = threading.Event()

    def first_two(inputs):
        assert inputs[0] != "third" or gate.wait(timeout=60)
        return np.array([len(one) for one in inputs], dtype=np.float32)

    inputs = ["1", "12", "third", "4444"]
    deadline = time.monotonic() + 0.3
    computed = await run(worker, inputs, first_two, keys=[0, 1, 2, 3], best_effort=True, deadline=deadline)
    assert time.monotonic() < deadline + 10  # and not only when the third is let through, after 60
    assert computed.rows == {0: 1, 1: 2}
    assert not computed.complete
    gate.set()


async def test_best_effort_that_is_done_in_time_is_complete(worker):
    computed = await run(worker, ["a", "aa"], Compute(), best_effort=True, deadline=time.monotonic() + 60)
    assert values(computed) == [1, 2]
    assert computed.complete


async def test_equal_inputs_in_flight_are_computed_once(worker):
    compute = Compute(is_open=False)
    first = asyncio.create_task(run(worker, ["a", "bb", "ccc"], compute, keys="abc"))
    await compute.has_started()
    second = asyncio.create_task(run(worker, ["bb", "a", "dddd"], compute, keys="bad"))
    await asyncio.sleep(0)
    compute.gate.set()
    assert values(await first) == [1, 2, 3]
    assert values(await second) == [2, 1, 4]
    assert sorted(one for batch in compute.seen for one in batch) == ["a", "bb", "ccc", "dddd"]


async def test_a_shared_input_is_computed_after_its_first_caller_left(worker):
    compute = Compute(is_open=False)
    first = asyncio.create_task(run(worker, ["aaa", "b"], compute, keys="ab"))
    await compute.has_started()
    second = asyncio.create_task(run(worker, ["b", "aaa"], compute, keys="ba"))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    compute.gate.set()
    assert values(await second) == [1, 3]
    assert compute.seen == [["aaa"], ["b"]]


async def test_a_failed_batch_fails_only_the_request_that_began_it(worker):
    gate, failures = threading.Event(), []

    def fail_once(inputs):
        assert gate.wait(timeout=60)
        if not failures:
            failures.append(inputs)
            raise ZeroDivisionError("broken once")
        return np.array([len(one) for one in inputs], dtype=np.float32)

    first = asyncio.create_task(run(worker, ["a"], fail_once, keys="a"))
    await asyncio.sleep(0)
    second = asyncio.create_task(run(worker, ["a"], fail_once, keys="a"))
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(ZeroDivisionError):
        await first
    assert values(await second) == [1]
    assert worker.admissions.queued_tokens == 0


async def test_small_requests_share_a_batch_of_their_model(worker):
    compute, another = Compute(is_open=False), Compute()
    requests = [asyncio.create_task(run(worker, ["busy"], compute, max_batch_tokens=12))]
    await compute.has_started()
    for texts, model in ((["aa"], compute), (["b", "bb"], another), (["ccc"], compute), (["d" * 9], compute)):
        requests.append(asyncio.create_task(run(worker, texts, model, max_batch_tokens=12)))
        await asyncio.sleep(0)
    compute.gate.set()
    assert [values(computed) for computed in await asyncio.gather(*requests)] == [[4], [2], [1, 2], [3], [9]]
    assert compute.seen == [["busy"], ["aa", "ccc"], ["d" * 9]]
    assert another.seen == [["bb", "b"]]


async def test_texts_that_go_alone_go_alone_whoever_waits(worker):
    compute = Compute(is_open=False)
    requests = [asyncio.create_task(run(worker, [text], compute)) for text in ("a", "b", "c")]
    await compute.has_started()
    compute.gate.set()
    await asyncio.gather(*requests)
    assert compute.seen == [["a"], ["b"], ["c"]]


async def test_only_the_request_at_fault_fails_in_a_shared_batch(worker):
    gate, seen = threading.Event(), []

    def fail_on_b(inputs):
        assert gate.wait(timeout=60)
        seen.append(list(inputs))
        if "b" in inputs:
            raise ZeroDivisionError("broken text")
        return np.array([len(one) for one in inputs], dtype=np.float32)

    requests = []
    for text in ("x", "a", "b", "c"):
        requests.append(asyncio.create_task(run(worker, [text], fail_on_b, max_batch_tokens=12)))
        await asyncio.sleep(0)
    gate.set()
    x, a, b, c = await asyncio.gather(*requests, return_exceptions=True)
    assert [values(each) for each in (x, a, c)] == [[1], [1], [1]]
    assert isinstance(b, ZeroDivisionError)
    assert seen == [["x"], ["a", "b", "c"], ["a"], ["b"], ["c"]]
    assert worker.admissions.queued_tokens == worker.admissions.running["lengths"] == 0


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.lists(st.integers(1, 12), min_size=1, max_size=8, unique=True), st.booleans(), st.booleans()),
        min_size=1,
        max_size=6,
    ),
    st.integers(1, 30),
)
async def test_sharing_and_cancelling_lose_no_row_and_empty_the_queue(requests, budget):
    """An input of n letters has the key n, so requests share many; some are cancelled after a moment."""
    worker = Worker(threads=2, max_queue_tokens=10_000)
    compute = Compute()
    tasks = []
    for lengths, best_effort, leaves in requests:
        inputs = ["a" * length for length in lengths]
        call = run(worker, inputs, compute, keys=lengths, best_effort=best_effort, max_batch_tokens=budget)
        tasks.append((asyncio.create_task(call), lengths, leaves))
        await asyncio.sleep(0)
    for task, _, leaves in tasks:
        if leaves:
            task.cancel()
    for task, lengths, leaves in tasks:
        if leaves:
            await asyncio.gather(task, return_exceptions=True)
        else:
            assert (await task).rows == {length: length for length in lengths}
    assert all(len(batch) == 1 or max(map(len, batch)) * len(batch) <= budget for batch in compute.seen)
    assert worker.admissions.queued_tokens == 0
    worker.close()
