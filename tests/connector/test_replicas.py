"""Several sidecars behind one client: turns, failover, health, names with several addresses, another try."""

import asyncio
from time import monotonic

import grpc
import pytest
from grpc_health.v1 import health_pb2
from hypothesis import given
from hypothesis import strategies as st

from connector import BadAddress, SidecarClient, SidecarOverloaded, SidecarTimeout, SidecarUnreachable
from connector.rescore.access import Access
from connector.rescore.base import Passage
from connector.rescore.breaker import FAILURES_TO_OPEN, OPEN_S
from connector.rescore.replicas import Replicas
from connector.rescore.retry_budget import MAX_TOKENS, RetryBudget
from sidecar.protocol import rerank_pb2 as wire
from sidecar.protocol import rerank_pb2_grpc as stubs
from tests.connector.name_server import name_server
from tests.connector.serving import Answering, result

SCORES = [result(0, 1.0)]
NOBODY = "127.0.0.1:1"


async def rescore(client: SidecarClient, timeout_s: float = 20.0):
    return await client.rescore("tea", [Passage("a", "tea")], model="m", timeout_s=timeout_s)


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


async def test_one_that_was_never_there_costs_no_call(servers):
    alive = Answering(SCORES)
    async with SidecarClient(f"{NOBODY},{await servers.start(alive)}") as client:
        for _ in range(20):
            await rescore(client)
    assert alive.calls == 20


async def test_one_that_goes_away_hands_its_calls_to_the_other(servers):
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


async def test_one_that_comes_back_takes_its_turn_again(servers):
    first, other = Answering(SCORES), Answering(SCORES)
    addresses = [await servers.start(first), await servers.start(other)]
    async with SidecarClient(",".join(addresses)) as client:
        await connected(client, first, other)
        await servers.stop(addresses[0])
        await rescore(client)
        again = Answering(SCORES)
        await servers.start(again, addresses[0])
        await connected(client, again)


async def test_one_that_hangs_costs_a_few_searches_and_then_one_a_second(servers):
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


async def test_one_that_is_not_serving_takes_no_turn(servers):
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


async def test_what_went_away_is_tried_once_on_each_and_nothing_else_is(servers):
    for status, error, calls in (
        (grpc.StatusCode.UNAVAILABLE, SidecarUnreachable, 3),
        (grpc.StatusCode.CANCELLED, SidecarUnreachable, 3),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, SidecarOverloaded, 1),
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
            await replicas.call(lambda channel: stubs.RerankerStub(channel).Rerank, wire.RerankRequest(), 20)
    await replicas.close()
    assert 200 < failing.calls <= 200 + MAX_TOKENS / 2


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
