"""Sidecars, and what else listens at their addresses, that answer oddly: a ranking that says what it lacks."""

import asyncio
import json
import math
from collections.abc import Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict

import grpc
import pytest

from hybridrank.connector import HybridSearch, InvalidRequest, Rescore, SearchRequest, SidecarClient, SidecarUnreachable
from hybridrank.connector.engines.embedded import EmbeddedEngine
from hybridrank.connector.types import Document
from hybridrank.index_templates import IndexDefinition
from hybridrank.sidecar.protocol import rerank_pb2 as wire
from tests.connector.serving import Answering

PLENTY_S = 60
FUSED = ["d3", "d2", "d1", "d0"]  # by the words alone
RESCORED = FUSED[::-1]  # as a good sidecar scores them
HUGE = 3.4e38
REASONS = {  # of the other statuses: sidecar_error
    grpc.StatusCode.CANCELLED: "unreachable",
    grpc.StatusCode.INVALID_ARGUMENT: "invalid",
    grpc.StatusCode.DEADLINE_EXCEEDED: "timeout",
    grpc.StatusCode.NOT_FOUND: "model_missing",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "overloaded",
    grpc.StatusCode.UNIMPLEMENTED: "unimplemented",
    grpc.StatusCode.UNAVAILABLE: "unreachable",
    grpc.StatusCode.UNAUTHENTICATED: "refused",
}
FAILURES = [status for status in grpc.StatusCode if status is not grpc.StatusCode.OK]
RETRIEVERS = pytest.mark.parametrize("retrievers", [("bm25", "knn"), ("knn",)], ids="+".join)


def score_of(doc_id: str) -> float:
    """The score of a good sidecar, by which each document can be known."""
    return -float(doc_id[1:])


def scored(request, ids: Sequence[str] | None = None, scores: Sequence[float] | None = None) -> wire.RerankResponse:
    """A good reply, but for these ids or scores."""
    asked = [each.id for each in request.candidates]
    rows = zip(ids or asked, scores or map(score_of, asked), strict=True)
    results = [wire.RerankResult(index=place, id=doc_id, relevance_score=by) for place, (doc_id, by) in enumerate(rows)]
    return wire.RerankResponse(results=results, complete=True)


def encoded(*vectors: Sequence[float]) -> wire.EncodeResponse:
    return wire.EncodeResponse(embeddings=[wire.Embedding(vector=each) for each in vectors])


class Odd(Answering):
    """Answers by functions of the request and its context, which may wait."""

    def __init__(self, rerank=None, encode=None) -> None:
        super().__init__()
        self.rerank = rerank or (lambda request, context: scored(request))
        self.encode = encode or (lambda request, context: encoded((1.0, 0.0)))

    async def Rerank(self, request, context):
        self.calls += 1
        return await self._answer(self.rerank, request, context)

    async def Encode(self, request, context):
        return await self._answer(self.encode, request, context)

    async def _answer(self, by, request, context):
        answer = by(request, context)
        return await answer if asyncio.iscoroutine(answer) else answer


async def headers_alone(request, context):
    await context.send_initial_metadata((("x-odd", "yes"),))
    await asyncio.Event().wait()


async def raising(request, context):
    raise LookupError("a fault of the model")


class OddBytes(asyncio.Protocol):
    """Sends its bytes once a client has said something, and no more; without any it hears and says nothing."""

    def __init__(self, sent: bytes, connections: list[asyncio.BaseTransport]) -> None:
        self.sent, self.connections = sent, connections

    def connection_made(self, transport):
        self.transport = transport
        self.connections.append(transport)

    def data_received(self, data):
        if self.sent:
            self.transport.write(self.sent)
            self.transport.write_eof()
        self.sent = b""


class HangingUp(OddBytes):
    """Closes every connection at once."""

    def connection_made(self, transport):
        super().connection_made(transport)
        transport.close()


ODD_ADDRESSES = {
    "says nothing": (OddBytes, b""),
    "sends garbage": (OddBytes, bytes(range(256)) * 40),
    "sends half a frame": (OddBytes, b"\x00\x00\x12\x04\x00\x00\x00"),  # settings of 18 bytes, cut off in their header
    "closes at once": (HangingUp, b""),
}
ADDRESSES = pytest.mark.parametrize("kind", ODD_ADDRESSES)


@asynccontextmanager
async def odd_address(kind: str):
    """The address of a server that no gRPC client can talk to."""
    speaks, sent = ODD_ADDRESSES[kind]
    connections: list[asyncio.Transport] = []
    server = await asyncio.get_running_loop().create_server(lambda: speaks(sent, connections), "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for each in connections:
            each.abort()
        await server.wait_closed()
        await asyncio.sleep(0)  # aborted connections end in the next turn of the loop


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """An index that every test reads and none changes."""
    engine = EmbeddedEngine(tmp_path_factory.mktemp("indices"))
    documents = [
        Document(f"d{n}", {"title": f"Tea {n}", "text": "hot tea " * (n + 1)}, (1.0, 1 - n / 10)) for n in range(4)
    ]

    async def fill():
        await engine.create_index("menu", IndexDefinition(2))
        await engine.index_documents("menu", documents)
        await engine.refresh("menu")

    asyncio.run(fill())
    return engine


async def searched_by(client: SidecarClient, engine, *, timeout_s=PLENTY_S, weight=1.0, **changes):
    """The answer to a search, in which nothing is infinite and every hit has its own source."""
    rescore = Rescore(model="m", timeout_s=timeout_s, weight=weight)
    given = {"index": "menu", "query_text": "tea", "rescore": rescore, "encode_timeout_s": PLENTY_S} | changes
    answer = await HybridSearch(engine, client).search(SearchRequest(**given))
    json.dumps(asdict(answer), allow_nan=False)  # what every caller does with it
    assert [hit.source["title"] for hit in answer.hits] == [f"Tea {hit.doc_id[1:]}" for hit in answer.hits]
    return answer


async def searched(engine, address: str, **changes):
    async with SidecarClient(address) as client:
        return await searched_by(client, engine, **changes)


def ids(answer) -> list[str]:
    return [hit.doc_id for hit in answer.hits]


def lacks(answer) -> list[tuple[str, str]]:
    return [(each.stage, each.reason) for each in answer.degraded]


@pytest.mark.parametrize(
    "rerank",
    [
        lambda request, context: scored(request),
        lambda request, context: scored(request, ids=[f"other{n}" for n in range(4)]),
        lambda request, context: scored(request, ids=[each.id for each in request.candidates][::-1]),
        lambda request, context: scored(request, ids=[""] * 4),
        lambda request, context: scored(request, ids=["d0"] * 4),
    ],
    ids=["right", "unknown", "swapped", "empty", "all the same"],
)
async def test_ids_in_a_reply_never_move_a_score(engine, servers, rerank):
    answer = await searched(engine, await servers.start(Odd(rerank)), retrievers=("bm25",))
    assert [(hit.doc_id, hit.rerank_score) for hit in answer.hits] == [(each, score_of(each)) for each in RESCORED]
    assert lacks(answer) == []


@pytest.mark.parametrize("weight", [1.0, 0.5])
@pytest.mark.parametrize(
    "scores", [[-HUGE, -HUGE, -HUGE, HUGE], [HUGE, -HUGE, HUGE, -HUGE], [HUGE] * 4, [-HUGE] * 4], ids=str
)
async def test_scores_at_the_ends_of_their_range_stay_finite(engine, servers, scores, weight):
    servicer = Odd(lambda request, context: scored(request, scores=scores))
    answer = await searched(engine, await servers.start(servicer), weight=weight, retrievers=("bm25",))
    assert sorted(ids(answer)) == sorted(FUSED)
    assert all(math.isfinite(hit.score) and math.isfinite(hit.rerank_score) for hit in answer.hits)
    assert [hit.score for hit in answer.hits] == sorted((hit.score for hit in answer.hits), reverse=True)
    found = {hit.doc_id: hit.rerank_score for hit in answer.hits}
    assert [found[doc_id] for doc_id in FUSED] == pytest.approx(scores)
    assert lacks(answer) == []


async def test_one_huge_score_puts_its_document_first(engine, servers):
    servicer = Odd(lambda request, context: scored(request, scores=[-HUGE, -HUGE, -HUGE, HUGE]))
    answer = await searched(engine, await servers.start(servicer), retrievers=("bm25",))
    assert ids(answer)[0] == FUSED[-1]


async def test_headers_and_then_nothing_cost_the_rescoring_alone(engine, servers):
    answer = await searched(engine, await servers.start(Odd(headers_alone)), timeout_s=1)
    assert lacks(answer) == [("rescore", "timeout")]
    assert sorted(ids(answer)) == sorted(FUSED)


async def test_headers_and_then_nothing_cost_the_encoding_alone(engine, servers):
    answer = await searched(engine, await servers.start(Odd(encode=headers_alone)), encode_timeout_s=1)
    assert lacks(answer) == [("encode", "timeout")]
    assert ids(answer) == RESCORED


@RETRIEVERS
async def test_an_exception_in_a_sidecar_is_named(engine, servers, retrievers):
    answer = await searched(engine, await servers.start(Odd(raising, raising)), retrievers=retrievers)
    assert lacks(answer) == [("encode", "sidecar_error"), ("rescore", "sidecar_error")]
    assert all("UNKNOWN" in each.detail for each in answer.degraded)
    assert ids(answer) == FUSED


async def test_an_exception_in_one_stage_leaves_the_other(engine, servers):
    answer = await searched(engine, await servers.start(Odd(encode=raising)))
    assert lacks(answer) == [("encode", "sidecar_error")]
    assert ids(answer) == RESCORED


@pytest.mark.parametrize("status", FAILURES, ids=lambda status: status.name)
async def test_every_status_with_a_long_detail_leaves_a_ranking(engine, servers, status):
    async def aborting(request, context):
        await context.abort(status, "x" * 3000)

    address = await servers.start(Odd(aborting, aborting))
    answer = await searched(engine, address)
    reason = REASONS.get(status, "sidecar_error")
    assert lacks(answer) == [("encode", reason), ("rescore", reason)]
    for each in answer.degraded:
        assert each.detail.startswith(f"sidecar at {address}: {status.name}: xxx")
        assert len(each.detail) < 1000
    assert ids(answer) == FUSED


@RETRIEVERS
@pytest.mark.parametrize(
    ("vectors", "message"),
    [([], "0 vectors for 1 text"), ([(1.0, 0.0), (0.0, 1.0)], "2 vectors for 1 text")],
    ids=["none", "two"],
)
async def test_a_wrong_number_of_vectors_leaves_the_words(engine, servers, vectors, message, retrievers):
    servicer = Odd(encode=lambda request, context: encoded(*vectors))
    answer = await searched(engine, await servers.start(servicer), retrievers=retrievers, rescore=None)
    assert lacks(answer) == [("encode", "bad_scores")]
    assert message in answer.degraded[0].detail
    assert ids(answer) == FUSED


@ADDRESSES
async def test_an_address_of_something_else_leaves_the_words(engine, kind):
    async with odd_address(kind) as address, SidecarClient(address) as client:
        answer = await searched_by(client, engine)
        assert lacks(answer) == [("encode", "unreachable"), ("rescore", "unreachable")]
        assert all(address in each.detail for each in answer.degraded)
        assert ids(answer) == FUSED
        with pytest.raises(SidecarUnreachable, match=address):
            await client.models(timeout_s=PLENTY_S)


@pytest.mark.parametrize("odd", [1, 2], ids=["one", "two"])
@ADDRESSES
async def test_a_sidecar_behind_odd_addresses_serves_every_search(engine, servers, kind, odd):
    good = Odd()
    async with AsyncExitStack() as stack:
        addresses = [await stack.enter_async_context(odd_address(kind)) for _ in range(odd)]
        together = ",".join([*addresses, await servers.start(good)])
        client = await stack.enter_async_context(SidecarClient(together))
        for calls in range(1, 6):
            answer = await searched_by(client, engine)
            assert lacks(answer) == []
            assert ids(answer) == RESCORED
            assert good.calls == calls


async def test_an_answer_over_the_limit_is_not_called_overload(servers):
    address = await servers.start(Answering(vector=[0.5] * (18 << 20)))  # 72 MiB
    client = SidecarClient(address)
    with pytest.raises(InvalidRequest, match=r"larger than max.*ask for fewer or shorter texts at once"):
        await client.encode(["tea"], model="m", kind="query", timeout_s=PLENTY_S)
    await client.close()
