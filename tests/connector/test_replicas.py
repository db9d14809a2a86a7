"""Several sidecars behind one client: turns, failover, health, names with several addresses, another try."""

import asyncio
import math
from time import monotonic

import grpc
import pytest
from grpc_health.v1 import health_pb2
from hypothesis import given
from hypothesis import strategies as st

from hybridrank.common.breaker import FAILURES_TO_OPEN, OPEN_S
from hybridrank.connector import (
    BadAddress,
    BadScores,
    InvalidRequest,
    ModelMissing,
    SidecarClient,
    SidecarError,
    SidecarTimeout,
    SidecarUnreachable,
)
from hybridrank.connector.sidecar_client.access import Access
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.connector.sidecar_client.refusals import sidecar_error
from hybridrank.connector.sidecar_client.replicas import Replicas
from hybridrank.connector.sidecar_client.retry_budget import MAX_TOKENS, RetryBudget
from hybridrank.sidecar.protocol import rerank_pb2 as wire
from hybridrank.sidecar.protocol import rerank_pb2_grpc as stubs
from tests.connector.name_server import name_server
from tests.connector.serving import Answering, result

SCORES = [result(0, 1.0)]
NOBODY = "127.0.0.1:1"


async def rescore(client: SidecarClient, timeout_s: float = 20.0):
    return await client.rescore("tea", [Passage("a", "tea")], model="m", timeout_s=timeout_s)


async def call(replicas: Replicas):
    return await replicas.call(lambda channel: stubs.RerankerStub(channel).Rerank, wire.RerankRequest(), 20, str)


async def connected(client: SidecarClient, *servicers: Answering) -> None:
    """Until each of the servers has had a call."""
    for _ in range(200):
        await rescore(client)
        if all(each.calls for each in servicers):
            break
        await asyncio.sleep(0.02)
    assert all(each.calls for each in servicers)


async def test_calls_take_turns(servers):
    both = [Answering(SCORES), Answering(SCORES)]
    addresses = [await servers.start(each) for each in both]
    async with SidecarClient(", ".join(addresses)) as client:
        await connected(client, *both)
        before = [each.calls for each in both]
        for _ in range(20):
            await rescore(client)
    assert [each.calls - earlier for each, earlier in zip(both, before, strict=True)] == [10, 10]


async def test_a_replica_that_was_never_there_costs_no_call(servers):
    alive = Answering(SCORES)
    async with SidecarClient(f"{NOBODY},{await servers.start(alive)}") as client:
        for _ in range(20):
            await rescore(client)
    assert alive.calls == 20


async def test_a_replica_that_goes_away_leaves_its_calls_to_the_other(servers):
    leaving, staying = Answering(SCORES), Answering(SCORES)
    addresses = [await servers.start(leaving), await servers.start(staying)]
    async with SidecarClient(",".join(addresses)) as client:
        await connected(client, leaving, staying)
        leaving.wait_s, leaving.status = 0.2, grpc.StatusCode.UNAVAILABLE
        before = leaving.calls
        await asyncio.gather(*(rescore(client) for _ in range(8)))
        assert leaving.calls == before + 4
        await servers.stop(addresses[0])
        for _ in range(20):
            await rescore(client)
    assert leaving.calls == before + 4


async def test_a_replica_that_comes_back_gets_calls_again(servers):
    first, other = Answering(SCORES), Answering(SCORES)
    addresses = [await servers.start(first), await servers.start(other)]
    async with SidecarClient(",".join(addresses)) as client:
        await connected(client, first, other)
        await servers.stop(addresses[0])
        await rescore(client)
        again = Answering(SCORES)
        await servers.start(again, addresses[0])
        await connected(client, again)


async def test_a_hanging_replica_costs_few_searches_then_one_a_second(servers):
    hanging, alive = Answering(SCORES), Answering(SCORES)
    async with SidecarClient(",".join([await servers.start(hanging), await servers.start(alive)])) as client:
        await connected(client, hanging, alive)
        hanging.wait_s = 60
        started_at, failed = monotonic(), 0
        for _ in range(100):
            try:
                await rescore(client, timeout_s=0.5)
            except SidecarTimeout:
                failed += 1
        probes = (monotonic() - started_at) / OPEN_S + 1
    assert FAILURES_TO_OPEN <= failed <= FAILURES_TO_OPEN + probes


async def test_a_replica_that_is_not_serving_gets_no_calls(servers):
    leaving, staying = Answering(SCORES), Answering(SCORES)
    addresses = [await servers.start(leaving), await servers.start(staying)]
    async with SidecarClient(",".join(addresses)) as client:
        await connected(client, leaving, staying)
        await leaving.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        leaving.status = grpc.StatusCode.UNAVAILABLE
        for _ in range(100):
            before = leaving.calls
            for _ in range(4):
                await rescore(client)
            if leaving.calls == before:
                break
            await asyncio.sleep(0.02)
        assert leaving.calls == before


async def test_a_name_with_several_addresses(servers):
    """The addresses share a port, as those of a headless service do."""
    both = [Answering(SCORES), Answering(SCORES)]
    port = (await servers.start(both[0])).rpartition(":")[2]
    await servers.start(both[1], f"127.0.0.2:{port}")
    async with (
        name_server("127.0.0.1", "127.0.0.2") as resolver,
        SidecarClient(f"dns://{resolver}/sidecar.test:{port}") as client,
    ):
        await connected(client, *both)
        await servers.stop(f"127.0.0.1:{port}")
        before = both[1].calls
        for _ in range(20):
            await rescore(client)
        assert both[1].calls == before + 20


async def test_lost_calls_are_retried_once_per_replica_and_answers_not(servers):
    for status, error, calls in (
        (grpc.StatusCode.UNAVAILABLE, SidecarUnreachable, 3),
        (grpc.StatusCode.CANCELLED, SidecarUnreachable, 3),
        (grpc.StatusCode.NOT_FOUND, ModelMissing, 1),
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequest, 1),
    ):
        three = [Answering(status=status) for _ in range(3)]
        async with SidecarClient(",".join([await servers.start(each) for each in three])) as client:
            with pytest.raises(error):
                await rescore(client)
        assert sum(each.calls for each in three) == calls
        assert max(each.calls for each in three) == 1


async def test_a_retry_has_what_the_deadline_leaves(servers):
    failing = Answering(status=grpc.StatusCode.UNAVAILABLE, wait_s=1.0)
    async with SidecarClient(await servers.start(failing)) as client:
        with pytest.raises(SidecarUnreachable):
            await rescore(client, timeout_s=10)
    first_s, second_s = failing.remaining_s
    assert second_s <= first_s - 0.9


async def test_when_everything_fails_retries_soon_stop(servers):
    failing = Answering(status=grpc.StatusCode.UNAVAILABLE)
    replicas = Replicas(await servers.start(failing), Access())
    for _ in range(200):
        with pytest.raises(SidecarUnreachable):
            await call(replicas)
    await replicas.close()
    assert 200 < failing.calls <= 200 + MAX_TOKENS / 2


FAULTS = {
    "internal": {"status": grpc.StatusCode.INTERNAL},
    "unknown": {"status": grpc.StatusCode.UNKNOWN},
    "overloaded": {"status": grpc.StatusCode.RESOURCE_EXHAUSTED},
    "nan-scores": {"results": [result(0, math.nan)]},
    "a-score-lacking": {"results": []},
}
each_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)


async def failures(client: SidecarClient, searches: int) -> int:
    failed = 0
    for _ in range(searches):
        try:
            await rescore(client)
        except SidecarError:
            failed += 1
    return failed


@each_fault
@pytest.mark.parametrize("well", [1, 2])
async def test_the_others_carry_the_load_of_one_that_fails(servers, fault, well):
    failing, others = Answering(**fault), [Answering(SCORES) for _ in range(well)]
    async with SidecarClient(",".join([await servers.start(each) for each in (failing, *others)])) as client:
        started_at = monotonic()
        assert await failures(client, 40) == 0
        probes = (monotonic() - started_at) / OPEN_S + 1
    assert sum(each.calls for each in others) == 40
    assert 1 <= failing.calls <= FAILURES_TO_OPEN + probes


@each_fault
async def test_two_of_three_that_fail_cost_a_few_searches_at_first(servers, fault):
    two, well = [Answering(**fault), Answering(**fault)], Answering(SCORES)
    async with SidecarClient(",".join([await servers.start(each) for each in (*two, well)])) as client:
        assert await failures(client, 20) <= FAILURES_TO_OPEN
        assert await failures(client, 20) == 0


@each_fault
async def test_calls_are_not_doubled_if_all_replicas_fail(servers, fault):
    three = [Answering(**fault) for _ in range(3)]
    async with SidecarClient(",".join([await servers.start(each) for each in three])) as client:
        assert await failures(client, 100) == 100
    assert sum(each.calls for each in three) <= 100 + 3 * FAILURES_TO_OPEN


@each_fault
async def test_a_failure_of_a_single_address_is_not_tried_again(servers, fault):
    single = Answering(**fault)
    async with SidecarClient(await servers.start(single)) as client:
        assert await failures(client, 10) == 10
    assert single.calls == 10


async def test_probes_of_a_failing_one_need_no_retry_budget(servers):
    failing, well = [Answering(status=grpc.StatusCode.UNAVAILABLE) for _ in range(2)]
    replicas = Replicas(",".join([await servers.start(failing), await servers.start(well)]), Access())
    for _ in range(int(MAX_TOKENS)):
        with pytest.raises(SidecarUnreachable):
            await call(replicas)
    failing.status, well.status = grpc.StatusCode.INTERNAL, None
    await asyncio.sleep(1.1 * OPEN_S)
    with pytest.raises(SidecarError):
        await call(replicas)  # a probe, while the other has not yet shown that it is well
    before, until = failing.calls, monotonic() + 3 * OPEN_S
    while monotonic() < until:
        await call(replicas)
        await asyncio.sleep(0.05)
    await replicas.close()
    assert failing.calls > before


async def test_a_replica_that_recovers_gets_calls_again(servers):
    failing, well = Answering(SCORES, grpc.StatusCode.INTERNAL), Answering(SCORES)
    async with SidecarClient(",".join([await servers.start(failing), await servers.start(well)])) as client:
        await connected(client, failing, well)
        await failures(client, 40)
        failing.status = None
        await asyncio.sleep(1.1 * OPEN_S)
        before = failing.calls
        assert await failures(client, 20) == 0
    assert failing.calls >= before + 9


async def test_unusable_query_vectors_are_asked_of_another(servers):
    failing, well = Answering(vector=[math.nan, 1.0]), Answering()
    async with SidecarClient(",".join([await servers.start(failing), await servers.start(well)])) as client:
        for _ in range(40):
            (encoding,) = await client.encode(["tea"], model="m", kind="query", timeout_s=20)
            assert encoding.vector == pytest.approx((0.6, 0.8))


async def test_a_failure_beside_a_lost_one_is_told_as_it_is(servers):
    """Another try there would call it unreachable, and repeated ones would open the circuit of the stage."""
    address = await servers.start(Answering([result(0, math.nan)]))
    async with SidecarClient(f"{address},{NOBODY}") as client:
        await failures(client, 2)
        await asyncio.sleep(0.1)
        for _ in range(2 * FAILURES_TO_OPEN):
            with pytest.raises(BadScores, match=f"^sidecar at {address}: candidate 0 scored nan"):
                await rescore(client)


@given(st.lists(st.booleans(), max_size=2000))
def test_retries_are_at_most_a_burst_and_a_tenth_of_the_answers(answered):
    budget = RetryBudget()
    retries = 0
    for ok in answered:
        if ok:
            budget.succeeded()
        elif budget.failed():
            retries += 1
        assert 0 <= budget.tokens <= MAX_TOKENS
    assert retries <= MAX_TOKENS / 2 + 0.1 * sum(answered)


@pytest.mark.parametrize("addresses", ["", ",", "host:1,", "host:1,,host:2"])
def test_an_empty_address_is_refused(addresses):
    with pytest.raises(BadAddress, match="empty part"):
        SidecarClient(addresses)


def test_a_sidecar_that_answered_before_is_not_misaddressed():
    details = "failed to connect to all addresses; failing; last error: UNKNOWN: Socket closed"
    never = sidecar_error("h:1", grpc.StatusCode.UNAVAILABLE, details, Access())
    before = sidecar_error("h:1", grpc.StatusCode.UNAVAILABLE, details, Access(), answered=True)
    assert "TLS" in str(never)
    assert "TLS" not in str(before)
    assert "it answered before and is gone now" in str(before)
