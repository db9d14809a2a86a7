"""The time of a whole search: how its stages share it, and what is left out when it is spent."""

import asyncio
import time

import pytest

from hybridrank.connector import EngineTimeout, HybridSearch, Rescore, SearchRequest
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.errors import SidecarTimeout
from hybridrank.connector.search_context import SearchContext
from hybridrank.connector.search_context.budget import Budget
from tests.contracts.passages import DEFINITION, PASSAGES


class Sidecar:
    """Answers after `wait_s` and keeps the timeouts it was given."""

    def __init__(self, wait_s: float = 0.0) -> None:
        self.wait_s = wait_s
        self.given: dict[str, float] = {}

    async def encode(self, texts, *, model, kind, timeout_s):
        self.given["encode"] = timeout_s
        await self._answer(timeout_s)
        raise SidecarTimeout("no vector here")

    async def rescore(self, query_text, passages, *, model, timeout_s, allow_partial, max_chunks):
        self.given["rescore"] = timeout_s
        await self._answer(timeout_s)
        raise SidecarTimeout("no scores here")

    async def _answer(self, timeout_s: float) -> None:
        await asyncio.sleep(min(self.wait_s, timeout_s))


class Slow:
    """A real engine that answers `wait_s` late, or never when it is cancelled before."""

    def __init__(self, inner, wait_s: float) -> None:
        self.inner, self.wait_s, self.cancelled = inner, wait_s, False

    async def retrieve(self, index, queries):
        answer = await self.inner.retrieve(index, queries)
        try:
            await asyncio.sleep(self.wait_s)
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return answer

    async def fields_of(self, index):
        return await self.inner.fields_of(index)


@pytest.fixture
async def engine(tmp_path):
    engine = EmbeddedEngine(tmp_path)
    await engine.create_index("menu", DEFINITION)
    await engine.index_documents("menu", PASSAGES)
    await engine.refresh("menu")
    return engine


def request(**changes) -> SearchRequest:
    rescore = Rescore(model="m", timeout_s=40)
    return SearchRequest(**{"index": "menu", "query_text": "tea", "rescore": rescore, "encode_timeout_s": 30} | changes)


async def test_without_a_limit_each_stage_has_its_own(engine):
    sidecar = Sidecar()
    await HybridSearch(engine, sidecar).search(request())
    assert sidecar.given == {"encode": 30, "rescore": pytest.approx(40, abs=1)}


async def test_encoding_gets_half_the_budget_and_rescoring_the_rest(engine):
    sidecar = Sidecar()
    await HybridSearch(engine, sidecar).search(request(timeout_s=20))
    assert sidecar.given["encode"] <= 10
    assert sidecar.given["encode"] < sidecar.given["rescore"] < 20


async def test_a_stage_whose_own_timeout_is_shorter_keeps_it(engine):
    sidecar = Sidecar()
    hurried = request(timeout_s=20, encode_timeout_s=0.25, rescore=Rescore(model="m", timeout_s=0.5))
    await HybridSearch(engine, sidecar).search(hurried)
    assert sidecar.given == {"encode": 0.25, "rescore": pytest.approx(0.5, abs=0.1)}
    assert sidecar.given["rescore"] <= 0.5


async def test_the_engine_is_searched_whatever_the_encoder_does(engine):
    response = await HybridSearch(engine, Sidecar(wait_s=60)).search(request(timeout_s=4, rescore=None))
    assert [(each.stage, each.reason) for each in response.degraded] == [("encode", "timeout")]
    assert response.hits


async def test_an_engine_beyond_the_limit_is_cancelled_and_named(engine):
    slow = Slow(engine, 60)
    with pytest.raises(EngineTimeout, match=r"0\.2 s were spent before the engine answered") as caught:
        await HybridSearch(slow, Sidecar()).search(request(timeout_s=0.2))
    assert caught.value.reason == "timeout"
    assert slow.cancelled


def test_a_stage_gets_a_share_of_the_time_left():
    never = SearchContext(Budget())
    assert never.limit_s("encode", 0.3, share=0.5) == 0.3
    long_ago = SearchContext(Budget(1.0, started_at=time.perf_counter() - 2.0))
    assert long_ago.limit_s("encode", 0.3) is None
    (left_out,) = long_ago.left_out.entries
    assert (left_out.stage, left_out.reason) == ("encode", "timeout")
    assert left_out.detail == "the search's 1 s were spent before this stage"


async def test_the_fused_order_stays_if_no_time_is_left_to_rescore(engine):
    """The engine's answer comes at the last moment, on an event loop too busy to notice: it stands."""

    class Late(Slow):
        async def retrieve(self, index, queries):
            answer = await self.inner.retrieve(index, queries)
            time.sleep(self.wait_s)  # noqa: ASYNC251
            return answer

    sidecar = Sidecar()
    response = await HybridSearch(Late(engine, 2.0), sidecar).search(request(timeout_s=2.0))
    assert [(each.stage, each.reason) for each in response.degraded][1:] == [("rescore", "timeout")]
    assert response.degraded[1].detail == "the search's 2 s were spent before this stage"
    assert "rescore" not in sidecar.given
    assert response.hits
