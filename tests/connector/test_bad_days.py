"""A real sidecar that is slow, absent or killed under real searches: each is answered, and says what it lacks."""

import asyncio
import os
import signal

import pytest

from hybridrank.connector import HybridSearch, Rescore, SearchRequest, SidecarClient
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.indexing import index_documents
from hybridrank.connector.indexing.vector_cache import VectorCache
from hybridrank.connector.types import Document
from hybridrank.index_templates import IndexDefinition
from hybridrank.sidecar.child import sidecar_process
from tests.contracts.passages import PASSAGES


@pytest.fixture
async def engine(tmp_path, sidecar_address):
    engine = EmbeddedEngine(tmp_path / "indices")
    cache = VectorCache(tmp_path / "vectors.sqlite3")
    long_texts = [
        Document(f"long{n}", {"title": f"Tea {n}", "text": "hot water and leaves " * (400 if n == 0 else 10)})
        for n in range(20)
    ]
    async with SidecarClient(sidecar_address) as client:
        await index_documents(engine, client, "menu", [*PASSAGES, *long_texts], cache=cache)
    return engine


def request(**changes) -> SearchRequest:
    rescore = Rescore(model="cross-encoder", timeout_s=20)
    return SearchRequest(**{"index": "menu", "query_text": "how do I brew tea?", "rescore": rescore} | changes)


def asked(number: int) -> SearchRequest:
    """A request that no other is like, with time for every stage."""
    rescore = Rescore(model="cross-encoder", timeout_s=60)
    return request(query_text=f"how do I brew tea in pot {number}?", rescore=rescore, encode_timeout_s=60)


async def test_a_good_day(engine, sidecar_address):
    async with SidecarClient(sidecar_address) as client:
        response = await HybridSearch(engine, client).search(request(size=30))
    assert response.degraded == ()
    assert all(hit.rerank_score is not None for hit in response.hits)
    assert {hit.doc_id: hit.truncated for hit in response.hits}["tea"] is False
    assert any(hit.truncated for hit in response.hits)


async def test_a_sidecar_that_was_never_started(engine):
    async with SidecarClient("127.0.0.1:1") as client:
        response = await HybridSearch(engine, client).search(request())
    assert [(each.stage, each.reason) for each in response.degraded] == [
        ("encode", "unreachable"),
        ("rescore", "unreachable"),
    ]
    assert response.hits


async def test_a_sidecar_slower_than_the_budget(engine, sidecar_address):
    async with SidecarClient(sidecar_address) as client:
        hurried = request(
            query_text="tea that nobody asked for before",
            rescore=Rescore(model="cross-encoder", timeout_s=0.01),
            encode_timeout_s=20,
        )
        response = await HybridSearch(engine, client).search(hurried)
        fused = await HybridSearch(engine, client).search(hurried.model_copy(update={"rescore": None}))
    assert [(each.stage, each.reason) for each in response.degraded] == [("rescore", "timeout")]
    assert response.hits == fused.hits


async def test_a_model_that_is_not_loaded_is_named(engine, sidecar_address):
    async with SidecarClient(sidecar_address) as client:
        response = await HybridSearch(engine, client).search(request(rescore=Rescore(model="no-such-model")))
    (only,) = response.degraded
    assert only.stage == "rescore"
    assert "no-such-model" in only.detail
    assert "cross-encoder-minilm-l6" in only.detail
    assert response.hits


async def test_every_search_is_answered_when_a_sidecar_is_killed(engine):
    """Eight callers; the sidecar dies without a word while some of them wait for it."""
    process = sidecar_process()
    child = await asyncio.to_thread(process.__enter__)
    try:
        async with SidecarClient(child.address) as client:
            search = HybridSearch(engine, client)
            before = await search.search(asked(-1))
            gate = asyncio.Semaphore(8)

            async def one(number: int):
                async with gate:
                    if number == 40:
                        os.kill(child.pid, signal.SIGKILL)
                    return await search.search(asked(number))

            responses = await asyncio.gather(*(one(number) for number in range(200)))
    finally:
        await asyncio.to_thread(process.__exit__, None, None, None)
    assert len(responses) == 200
    assert all(response.hits for response in responses)
    assert before.degraded == ()
    in_flight = [each.degraded for each in responses if [lack.stage for lack in each.degraded] == ["rescore"]]
    assert in_flight, "no search was waiting for a score when the sidecar died"
    assert {lack.reason for each in responses for lack in each.degraded} == {"unreachable", "circuit_open"}
    assert [each.stage for each in responses[-1].degraded] == ["encode", "rescore"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "shut-down"])
async def test_losing_one_of_two_sidecars_degrades_no_search(engine, how):
    """Eight callers; what waits for the sidecar that dies goes to the other within the same search."""
    processes = [sidecar_process(settings={"threads": "1"}) for _ in range(2)]
    first, second = [await asyncio.to_thread(each.__enter__) for each in processes]
    try:
        async with SidecarClient(f"{first.address},{second.address}") as client:
            search = HybridSearch(engine, client)
            for number in range(4):
                await search.search(asked(-number))  # both are connected
            gate = asyncio.Semaphore(8)

            async def one(number: int):
                async with gate:
                    if number == 20:
                        os.kill(first.pid, how)
                    return await search.search(asked(number))

            responses = await asyncio.gather(*(one(number) for number in range(60)))
    finally:
        for each in processes:
            await asyncio.to_thread(each.__exit__, None, None, None)
    assert all(response.hits for response in responses)
    assert [response.degraded for response in responses if response.degraded] == []


async def test_a_sidecar_that_comes_back_is_found_again(engine):
    first = sidecar_process()
    child = await asyncio.to_thread(first.__enter__)
    port = child.address.rpartition(":")[2]
    async with SidecarClient(child.address) as client:
        search = HybridSearch(engine, client)
        await search.search(request())
        await asyncio.to_thread(first.__exit__, None, None, None)
        assert (await search.search(request())).degraded
        second = sidecar_process(settings={"port": port})
        await asyncio.to_thread(second.__enter__)
        try:
            for _ in range(50):
                response = await search.search(request(encode_timeout_s=20))
                if not response.degraded:
                    break
                await asyncio.sleep(0.1)
            assert response.degraded == ()
        finally:
            await asyncio.to_thread(second.__exit__, None, None, None)


@pytest.mark.parametrize(
    "query_text", ["🍵 🫖", "tea " * 20_000, "'; DROP TABLE documents; --", 'tea AND (milk OR "', "茶", "\u202etea"]
)
async def test_any_text_that_people_type_is_a_valid_query(engine, sidecar_address, query_text):
    async with SidecarClient(sidecar_address) as client:
        response = await HybridSearch(engine, client).search(request(query_text=query_text, encode_timeout_s=20))
    assert response.degraded == ()
    assert response.hits


async def test_a_thousand_candidates_are_all_scored(tmp_path, sidecar_address):
    engine = EmbeddedEngine(tmp_path / "indices")
    async with SidecarClient(sidecar_address) as client:
        cups = [Document(f"cup{n:04}", {"title": f"Cup {n}", "text": "of tea"}) for n in range(1000)]
        await index_documents(engine, client, "cups", cups, cache=VectorCache(tmp_path / "vectors.sqlite3"))
        rescore = Rescore(model="cross-encoder", rescore_window_size=1000, timeout_s=60)
        response = await HybridSearch(engine, client).search(
            request(index="cups", rescore=rescore, size=1000, rank_window_size=1000)
        )
    assert response.degraded == ()
    assert sum(hit.rerank_score is not None for hit in response.hits) == 1000


async def test_scores_ready_at_the_timeout_come_first(tmp_path):
    """A thousand passages of some 250 tokens keep one core busy for several times as long."""
    engine = EmbeddedEngine(tmp_path / "indices")
    await engine.create_index("teas", IndexDefinition(384))
    texts = [" ".join(f"tea {n} of {word}" for word in range(60)) for n in range(1000)]
    await engine.index_documents("teas", [Document(f"tea{n:04}", {"text": text}) for n, text in enumerate(texts)])
    rescore = Rescore(model="cross-encoder", rescore_window_size=1000, timeout_s=5, weight=1)
    asked = request(index="teas", retrievers=("bm25",), query_text="tea", size=1000, rank_window_size=1000)
    process = sidecar_process(settings={"threads": "1"})
    child = await asyncio.to_thread(process.__enter__)
    try:
        async with SidecarClient(child.address) as client:
            search = HybridSearch(engine, client)
            partly = await search.search(asked.model_copy(update={"rescore": rescore}))
            fused = await search.search(asked.model_copy(update={"rescore": None}))
    finally:
        await asyncio.to_thread(process.__exit__, None, None, None)
    scored = [hit for hit in partly.hits if hit.rerank_score is not None]
    assert [(each.stage, each.reason, each.detail) for each in partly.degraded] == [
        ("rescore", "partial", f"{len(scored)} of 1000 scored in time")
    ]
    assert list(partly.hits[: len(scored)]) == scored
    seen = {hit.doc_id for hit in scored}
    rest = [hit.doc_id for hit in partly.hits[len(scored) :]]
    assert rest == [hit.doc_id for hit in fused.hits if hit.doc_id not in seen]
