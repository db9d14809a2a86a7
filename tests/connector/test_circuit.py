"""The circuit breaker before a real server: when it opens, what is said, and how it closes."""

import asyncio

import grpc
import pytest

from hybridrank.common.breaker import FAILURES_TO_OPEN
from hybridrank.connector import (
    CircuitOpen,
    HybridSearch,
    Rescore,
    SearchRequest,
    SidecarClient,
    SidecarError,
    SidecarTimeout,
    SidecarUnreachable,
)
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.connector.sidecar_client.circuit import CIRCUITS_KEPT
from tests.connector.serving import Answering, result
from tests.contracts.passages import DEFINITION, PASSAGES

NOBODY = "127.0.0.1:1"


async def rescore(client: SidecarClient, timeout_s: float = 5.0):
    return await client.rescore("tea", [Passage("a", "tea")], model="m", timeout_s=timeout_s)


async def encode(client: SidecarClient, kind: str):
    return await client.encode(["tea"], model="m", kind=kind, timeout_s=5)


async def exhaust(client: SidecarClient, error: type[SidecarError], timeout_s: float = 5.0) -> None:
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(error):
            await rescore(client, timeout_s)


async def test_timeouts_open_the_circuit_until_a_probe_is_answered(servers):
    slow = Answering([result(0, 1.0)], wait_s=30)
    async with SidecarClient(await servers.start(slow)) as client:
        await exhaust(client, SidecarTimeout, 0.05)
        with pytest.raises(CircuitOpen, match=r"not tried: the last 5 calls to rescore by m failed.*DEADLINE_EXCEEDED"):
            await rescore(client)
        assert slow.calls == FAILURES_TO_OPEN
        slow.wait_s = 0
        for _ in range(50):
            try:
                await rescore(client)
                break
            except CircuitOpen:
                await asyncio.sleep(0.1)
        await rescore(client)
        assert slow.calls == FAILURES_TO_OPEN + 2


async def test_a_model_that_is_too_slow_leaves_the_others_alone(servers):
    """One that no caller named for long is forgotten: names are the caller's, and memory is not."""

    class OneIsSlow(Answering):
        async def Rerank(self, request, context):
            self.wait_s = 30 if request.model == "slow" else 0
            return await super().Rerank(request, context)

    async def ask(model, timeout_s=5.0):
        return await client.rescore("tea", [Passage("a", "tea")], model=model, timeout_s=timeout_s)

    async with SidecarClient(await servers.start(OneIsSlow([result(0, 1.0)]))) as client:
        for _ in range(FAILURES_TO_OPEN):
            with pytest.raises(SidecarTimeout):
                await ask("slow", 0.05)
        with pytest.raises(CircuitOpen, match="rescore by slow"):
            await ask("slow")
        for number in range(CIRCUITS_KEPT):
            assert await ask(f"m{number}")
        with pytest.raises(SidecarTimeout):
            await ask("slow", 0.05)


async def test_each_stage_has_a_circuit_and_documents_have_none():
    async with SidecarClient(NOBODY) as client:
        await exhaust(client, SidecarUnreachable)
        with pytest.raises(CircuitOpen):
            await rescore(client)
        for _ in range(FAILURES_TO_OPEN):
            with pytest.raises(SidecarUnreachable):
                await encode(client, "query")
        with pytest.raises(CircuitOpen):
            await encode(client, "query")
        with pytest.raises(SidecarUnreachable):
            await encode(client, "document")
        with pytest.raises(SidecarUnreachable):
            await client.models()


@pytest.mark.parametrize(
    "status", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.DEADLINE_EXCEEDED]
)
async def test_a_sidecar_that_refuses_at_once_is_there(servers, status):
    refusing = Answering(status=status)
    async with SidecarClient(await servers.start(refusing)) as client:
        for _ in range(2 * FAILURES_TO_OPEN):
            with pytest.raises(SidecarError, match="the reason"):
                await rescore(client)
    assert refusing.calls == 2 * FAILURES_TO_OPEN


async def test_a_search_says_that_the_stage_was_skipped(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    await engine.create_index("menu", DEFINITION)
    await engine.index_documents("menu", PASSAGES)
    request = SearchRequest(index="menu", query_text="tea", retrievers=("bm25",), rescore=Rescore(model="m"))
    async with SidecarClient(NOBODY) as client:
        responses = [await HybridSearch(engine, client).search(request) for _ in range(FAILURES_TO_OPEN + 1)]
    assert all(response.hits == responses[0].hits for response in responses)
    assert [response.degraded[0].reason for response in responses] == ["unreachable"] * FAILURES_TO_OPEN + [
        "circuit_open"
    ]
    assert NOBODY in responses[-1].degraded[0].detail
