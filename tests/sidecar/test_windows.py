"""Windows of long passages: the first of each before any second, more as time and room allow, and said in the reply."""

import asyncio
import threading
import time
from dataclasses import dataclass, field, replace
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridrank.common.model_info import ModelInfo
from hybridrank.sidecar.batching.admission import margin_s
from hybridrank.sidecar.batching.worker import Worker
from hybridrank.sidecar.errors import Overloaded
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.rerankers.base import Pair
from hybridrank.sidecar.rerankers.token_overlap import TokenOverlapReranker
from hybridrank.sidecar.runtime.tokenizer import TokenSequence
from hybridrank.sidecar.service import RerankService
from hybridrank.sidecar.types import ChunkScore, RerankPassage, RerankRequest
from tests.sidecar.doubles import loaded
from tests.sidecar.serving import rerank_request, serving
from tests.sidecar.stalls import Stalls

WORDS = 4  # of a window
NOBODY = "Interest rates rose again. " * 60  # two windows and more of the cross-encoder that ships
ANSWER = "A dog barks when someone is at the door. "


WINDOWS = replace(TokenOverlapReranker.info, name="windows", max_tokens=WORDS)


@dataclass
class WindowReranker(TokenOverlapReranker):
    """Token overlap in windows of four words; keeps which window of which passage it scored, and takes its time."""

    info: ModelInfo = WINDOWS
    batches: bool = False
    seconds: float = 0.0
    scored: list[tuple[str, int]] = field(default_factory=list)
    gate: threading.Event | None = None  # what later windows wait for
    began: threading.Event = field(default_factory=threading.Event)

    def windows(self, query: str, passages: list[str], max_windows: int) -> list[list[Pair]]:
        return [self._cut(query, passage.split(), max_windows) for passage in passages]

    def score(self, pairs: list[Pair]) -> np.ndarray:
        time.sleep(self.seconds)
        if self.gate and pairs[0].sequence.number:
            self.began.set()
            assert self.gate.wait(timeout=60)
        self.scored.extend((pair.sequence.name, pair.sequence.number) for pair in pairs)
        return super().score(pairs)

    def wait_for(self, window: tuple[str, int]) -> None:
        """Until this window of this passage is scored."""
        while window not in self.scored:
            time.sleep(0.005)

    def _cut(self, query: str, words: list[str], most: int) -> list[Pair]:
        parts = [words[start : start + WORDS] for start in range(0, max(1, len(words)), WORDS)]
        return [
            Pair(Window.of(part, words[:1], number, truncated=len(parts) > most), Window.of(query.split(), [query], 0))
            for number, part in enumerate(parts[:most])
        ]


@dataclass(frozen=True)
class Window(TokenSequence):
    """Tokens that know where they are from."""

    name: str = ""
    number: int = 0

    @classmethod
    def of(cls, words: list[str], name: list[str], number: int, *, truncated: bool = False) -> "Window":
        ids = tuple(hash(word) for word in words)
        flags = (False,) * len(ids)
        return cls(ids, (0,) * len(ids), flags, truncated, name="".join(name), number=number)


def serve(reranker: WindowReranker, *, threads: int = 1, max_queue_tokens: int = 100_000, cache_bytes: int = 0):
    worker = Worker(threads=threads, max_queue_tokens=max_queue_tokens)
    models = Models([loaded(reranker)])
    return RerankService(models, worker, max_batch_tokens=64, score_cache_bytes=cache_bytes)


def asked(*texts: str, **fields) -> RerankRequest:
    passages = tuple(RerankPassage(str(index), text) for index, text in enumerate(texts))
    return RerankRequest("windows", fields.pop("query", "red green blue pink"), passages, **fields)


def parts(text: str) -> list[str]:
    words = text.split()
    return [" ".join(words[start : start + WORDS]) for start in range(0, max(1, len(words)), WORDS)]


colours = st.lists(st.sampled_from(["red", "green", "blue", "none"]), max_size=24).map(" ".join)
passages = st.lists(colours, max_size=6).map(lambda texts: [f"p{place} {text}" for place, text in enumerate(texts)])


@given(passages, st.integers(1, 7), st.booleans())
@settings(max_examples=50)
async def test_first_windows_come_first_and_third_ones_last(texts, most, best_effort):
    reranker = WindowReranker()
    service = serve(reranker)
    result = await service.rerank(asked(*texts, max_chunks_per_document=most, best_effort=best_effort))
    numbers = [number for _, number in reranker.scored]
    assert numbers == sorted(numbers)
    scored = {score.index: score for score in result.scores}
    assert [scored[place].scored_chunks for place in range(len(texts))] == [min(most, len(parts(t))) for t in texts]
    assert [scored[place].truncated for place in range(len(texts))] == [len(parts(text)) > most for text in texts]
    assert result.scored_chunks == len(numbers)
    service.worker.close()


@given(passages, st.integers(1, 7), st.sampled_from(ChunkScore))
@settings(max_examples=50)
async def test_windows_score_together_what_they_score_alone(texts, most, chunk_score):
    service = serve(WindowReranker())
    alone = {}
    for part in {part for text in texts for part in parts(text)}:
        (score,) = (await service.rerank(asked(part, max_chunks_per_document=1))).scores
        alone[part] = score.relevance_score
    result = await service.rerank(asked(*texts, max_chunks_per_document=most, chunk_score=chunk_score))
    for score in result.scores:
        each = [alone[part] for part in parts(texts[score.index])[:most]]
        wanted = {ChunkScore.MAX: max(each), ChunkScore.FIRST: each[0], ChunkScore.MEAN: sum(each) / len(each)}
        assert score.relevance_score == pytest.approx(wanted[chunk_score])
        several = most > 1 and chunk_score is not ChunkScore.FIRST
        assert score.best_chunk == (each.index(max(each)) if several else None)
    service.worker.close()


@given(passages, st.lists(st.integers(1, 7), min_size=2, max_size=4))
@settings(max_examples=50)
async def test_cached_scores_of_fewer_windows_do_not_answer_for_more(texts, asks):
    reranker = WindowReranker()
    keeping = serve(reranker, cache_bytes=1_000_000)
    for most in asks:
        fresh = serve(WindowReranker())
        request = asked(*texts, max_chunks_per_document=most)
        assert (await keeping.rerank(request)).scores == (await fresh.rerank(request)).scores
        fresh.worker.close()
    assert len(reranker.scored) == len(set(reranker.scored)) == sum(min(max(asks), len(parts(text))) for text in texts)
    keeping.worker.close()


@pytest.mark.parametrize("best_effort", [True, False])
async def test_a_deadline_leaves_out_later_windows_and_no_candidate(best_effort):
    reranker = WindowReranker(seconds=0.02)
    service = serve(reranker)
    texts = [f"p{place} none none none red green none none blue" for place in range(6)]
    started_at = time.monotonic()
    request = asked(*texts, max_chunks_per_document=3, best_effort=best_effort, deadline=started_at + 0.3)
    with Stalls() as stalls:
        result = await service.rerank(request)
    assert time.monotonic() - started_at < 0.3 + stalls.seconds
    assert result.complete
    assert 6 <= result.scored_chunks < 18
    best = {(1, 0.0): 0, (2, 0.5): 1, (3, 0.5): 1}
    found = {score.index: (score.scored_chunks, score.relevance_score) for score in result.scores}
    assert len(found) == 6
    for score in result.scores:
        assert best[score.scored_chunks, score.relevance_score] == score.best_chunk
        assert score.truncated == (score.scored_chunks < 3)
    assert list(accumulate((found[place][0] for place in range(6)), min)) == [found[place][0] for place in range(6)]
    service.worker.close()


@pytest.mark.parametrize("count", [130, 250])
async def test_a_long_call_is_answered_its_whole_margin_early(count):
    """The deadline comes shortly after the last first window, or long before it."""
    service = serve(WindowReranker(seconds=0.02))
    texts = [f"p{place} " + "none " * 40 for place in range(count)]
    started_at = time.monotonic()
    with Stalls() as stalls:
        await service.rerank(asked(*texts, max_chunks_per_document=8, best_effort=True, deadline=started_at + 3))
    assert time.monotonic() - started_at < 3 - margin_s(3) / 2 + stalls.seconds
    service.worker.close()


async def test_optional_windows_keep_no_request_out():
    reranker = WindowReranker()
    reranker.gate = threading.Event()
    service = serve(reranker, max_queue_tokens=40)
    long = " ".join(["none"] * 400)
    ask = asked(f"p {long}", max_chunks_per_document=8, deadline=time.monotonic() + 60)
    holding = asyncio.ensure_future(service.rerank(ask))
    await asyncio.to_thread(reranker.wait_for, ("p", 0))
    await asyncio.to_thread(reranker.began.wait)
    waiting = service.queued_tokens
    other = asyncio.ensure_future(service.rerank(asked(*[f"q{place} {long}" for place in range(8)], query="none")))
    while service.queued_tokens < waiting + 8 * WORDS:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    reranker.gate.set()
    assert (await other).complete
    assert (await other).scored_chunks >= 8
    assert (await holding).scored_chunks == 8
    service.worker.close()


async def test_no_more_windows_are_let_in_than_the_queue_has_room_for():
    service = serve(WindowReranker(), max_queue_tokens=40)
    texts = [" ".join([f"p{place}", *["none"] * 400]) for place in range(8)]
    result = await service.rerank(asked(*texts, max_chunks_per_document=8))
    assert result.complete
    assert result.scored_chunks == 16  # 8 second windows of 4 words fit into 40 tokens, third ones beside them do not


async def test_the_queue_is_still_full_of_first_windows():
    service = serve(WindowReranker(seconds=0.2), max_queue_tokens=40)
    texts = [f"p{place} none none none none none" for place in range(8)]
    holding = asyncio.ensure_future(service.rerank(asked(*texts)))
    await asyncio.sleep(0.05)
    with pytest.raises(Overloaded):
        await service.rerank(asked(*texts, query="other"))
    holding.cancel()
    service.worker.close()


@pytest.mark.parametrize("patient", [True, False])
async def test_first_windows_of_others_overtake_optional_ones(patient):
    reranker = WindowReranker(seconds=0.02)
    service = serve(reranker)
    deadline = None if patient else time.monotonic() + 60
    long = [f"long{place} " + "none " * 400 for place in range(10)]
    slow = asyncio.ensure_future(service.rerank(asked(*long, max_chunks_per_document=100, deadline=deadline)))
    await asyncio.to_thread(reranker.wait_for, ("long0", 1))
    begun = len(reranker.scored)
    texts = [f"short{place}" for place in range(5)]
    assert (await service.rerank(asked(*texts, deadline=time.monotonic() + 60))).complete
    # One window was under way when it came; another may have begun while it was tokenised.
    between = [name for name, _ in reranker.scored[begun:] if name.startswith("long")]
    assert len(between) <= 2
    slow.cancel()
    service.worker.close()


async def test_windows_that_would_end_late_are_not_begun():
    reranker = WindowReranker(seconds=0.2)
    service = serve(reranker)
    await service.rerank(asked("q none none none"))  # measures the speed
    reranker.scored.clear()
    started_at = time.monotonic()
    with Stalls() as stalls:
        result = await service.rerank(asked("p none none none red", deadline=started_at + 0.35))
    assert time.monotonic() - started_at < 0.3 + stalls.seconds
    assert result.scored_chunks == 1
    assert [score.truncated for score in result.scores] == [True]
    await asyncio.sleep(0.25)
    assert reranker.scored == [("p", 0)]
    service.worker.close()


async def test_a_text_that_may_not_be_cut_needs_all_its_windows():
    service = serve(WindowReranker())
    (score,) = (await service.rerank(asked("p none none none red", truncate=False))).scores
    assert (score.scored_chunks, score.truncated, score.best_chunk) == (2, False, 1)
    service.worker.close()


@pytest.mark.parametrize("model", ["cross-encoder", "nano", "colbert"])
async def test_up_to_four_windows_count_unless_fewer_are_asked_for(shipped, model):
    passages = (NOBODY + ANSWER * 3, NOBODY, ANSWER)
    async with serving(shipped) as client:
        by_default = await client.reranker.Rerank(rerank_request(model, "which animal barks", *passages))
        zero = pb.RerankOptions(max_chunks_per_document=0)
        unset = await client.reranker.Rerank(rerank_request(model, "which animal barks", *passages, options=zero))
        one = pb.RerankOptions(max_chunks_per_document=1)
        first = await client.reranker.Rerank(rerank_request(model, "which animal barks", *passages, options=one))
    found, cut = ({each.index: each for each in reply.results} for reply in (by_default, first))
    assert [(each.index, each.relevance_score) for each in unset.results] == [
        (each.index, each.relevance_score) for each in by_default.results
    ]
    assert 1 < found[0].scored_chunks <= 4
    assert found[0].best_chunk > 0
    assert found[0].relevance_score > found[1].relevance_score
    assert [found[place].truncated for place in range(3)] == [False] * 3
    assert by_default.scored_chunks == sum(each.scored_chunks for each in by_default.results)
    assert first.scored_chunks == 3
    assert [cut[place].truncated for place in range(3)] == [True, True, False]
    assert cut[2].relevance_score == found[2].relevance_score
    assert not any(each.HasField("best_chunk") for each in first.results)
