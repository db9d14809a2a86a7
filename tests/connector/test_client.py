"""The client against a real gRPC server whose answers a test chooses."""

import math

import grpc
import pytest

from hybridrank.connector import (
    BadScores,
    InvalidRequest,
    ModelMissing,
    NotASidecar,
    SidecarClient,
    SidecarError,
    SidecarFailed,
    SidecarOverloaded,
    SidecarTimeout,
    SidecarUnreachable,
    UnreadableText,
)
from hybridrank.connector.sidecar_client.base import Passage
from hybridrank.sidecar.protocol import rerank_pb2 as wire
from tests.connector.serving import Answering, result

PASSAGES = [Passage("a", "tea"), Passage("b", "milk"), Passage("a", "tea again")]


@pytest.fixture
async def serve(servers):
    clients = []

    async def start(servicer: Answering) -> SidecarClient:
        clients.append(SidecarClient(await servers.start(servicer)))
        return clients[-1]

    yield start
    for client in clients:
        await client.close()


async def rescore(client: SidecarClient, timeout_s: float = 5.0):
    return await client.rescore("tea", PASSAGES, model="m", timeout_s=timeout_s)


async def test_scores_are_matched_by_index_not_by_place_or_id(serve):
    client = await serve(Answering([result(2, 0.5), result(0, 0.25, truncated=True), result(1, -3.0)]))
    scores = await rescore(client)
    assert [(each.score, each.truncated) for each in scores] == [(0.25, True), (-3.0, False), (0.5, False)]


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([result(0, 1.0), result(1, 1.0)], "2 scores for 3 candidates"),
        ([result(0, 1.0), result(1, 1.0), result(1, 2.0)], "index 1 is unknown or came twice"),
        ([result(0, 1.0), result(1, 1.0), result(3, 1.0)], "index 3 is unknown or came twice"),
        ([result(0, 1.0), result(1, math.nan), result(2, 1.0)], "candidate 1 scored nan"),
        ([result(0, 1.0), result(1, 1.0), result(2, -math.inf)], "candidate 2 scored -inf"),
    ],
)
async def test_scores_that_cannot_be_trusted_are_refused(serve, results, message):
    with pytest.raises(BadScores, match=message):
        await rescore(await serve(Answering(results)))


@pytest.mark.parametrize(
    ("sent", "weight"), [(0.3, 0.3), (1.0, 1.0), (0.0, None), (-0.5, None), (1.5, None), (math.nan, None)]
)
async def test_a_reply_describes_its_model_for_a_while(serve, sent, weight):
    """Nothing here answers questions about models. A sidecar of an earlier release sends 0."""

    class Describing(Answering):
        async def Rerank(self, request, context):
            reply = await super().Rerank(request, context)
            reply.model.MergeFrom(wire.Model(name="m", digest="d", blend_weight=sent))
            return reply

    client = await serve(Describing([result(0, 1.0), result(1, 1.0), result(2, 1.0)]))
    await rescore(client)
    assert (await client.model("m", timeout_s=5)).blend_weight == weight


async def test_a_partial_reply_has_gaps_where_it_is_allowed(serve):
    client = await serve(Answering([result(2, 0.5)], complete=False))
    scores = await client.rescore("tea", PASSAGES, model="m", timeout_s=5, allow_partial=True)
    assert [each and each.score for each in scores] == [None, None, 0.5]
    with pytest.raises(BadScores, match="1 score for 3 candidates"):
        await rescore(client)


async def test_a_gap_in_a_reply_that_claims_to_be_complete_is_refused(serve):
    client = await serve(Answering([result(2, 0.5)], complete=True))
    with pytest.raises(BadScores, match="1 score for 3 candidates"):
        await client.rescore("tea", PASSAGES, model="m", timeout_s=5, allow_partial=True)


async def test_a_partial_reply_without_a_score_is_a_timeout(serve):
    client = await serve(Answering([], complete=False))
    with pytest.raises(SidecarTimeout, match="none of 3 candidates"):
        await client.rescore("tea", PASSAGES, model="m", timeout_s=5, allow_partial=True)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, SidecarOverloaded),
        (grpc.StatusCode.DEADLINE_EXCEEDED, SidecarTimeout),
        (grpc.StatusCode.UNAVAILABLE, SidecarUnreachable),
        (grpc.StatusCode.NOT_FOUND, ModelMissing),
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidRequest),
        (grpc.StatusCode.UNIMPLEMENTED, NotASidecar),
        (grpc.StatusCode.INTERNAL, SidecarFailed),
    ],
)
async def test_a_status_becomes_one_of_our_errors(serve, status, error):
    client = await serve(Answering(status=status))
    with pytest.raises(error, match=f"{status.name}: the reason") as caught:
        await rescore(client)
    assert type(caught.value) is error
    assert client.address in str(caught.value)


@pytest.mark.parametrize(
    ("details", "error"),
    [
        ("query: has nothing that m can read; send at least one word", UnreadableText),
        ("candidates[3].text: is empty", UnreadableText),
        ("candidates[3].features: has 2 values, but m reads 3", InvalidRequest),
        ("model: m is a lambdamart; encoders are encoder", InvalidRequest),
    ],
)
async def test_a_text_no_model_can_read_is_told_from_a_wrong_request(serve, details, error):
    client = await serve(Answering(status=grpc.StatusCode.INVALID_ARGUMENT, details=details))
    with pytest.raises(InvalidRequest) as caught:
        await rescore(client)
    assert type(caught.value) is error


async def test_only_an_unavailable_sidecar_is_tried_again(serve):
    for status, calls in ((grpc.StatusCode.UNAVAILABLE, 2), (grpc.StatusCode.RESOURCE_EXHAUSTED, 1)):
        servicer = Answering(status=status)
        client = await serve(servicer)
        with pytest.raises(SidecarError):
            await rescore(client)
        assert servicer.calls == calls


async def test_the_timeout_is_the_deadline_of_the_call(serve):
    client = await serve(Answering(wait_s=30))
    with pytest.raises(SidecarTimeout):
        await rescore(client, timeout_s=0.05)


async def test_nothing_listening_is_unreachable():
    async with SidecarClient("127.0.0.1:1") as client:
        with pytest.raises(SidecarUnreachable, match=r"127\.0\.0\.1:1"):
            await rescore(client)


@pytest.mark.parametrize("vector", [(math.nan, 0.8), (math.inf, 0.0), (0.0, 0.0), (1e30, 1e30), ()], ids=str)
async def test_a_query_vector_without_a_direction_is_refused(serve, vector):
    client = await serve(Answering(vector=vector))
    with pytest.raises(BadScores, match="a vector of zeros, or with values that are not finite or too large"):
        await client.encode(["tea"], model="m", kind="query", timeout_s=5)


async def test_an_encoding_carries_its_truncation(serve):
    client = await serve(Answering())
    (encoding,) = await client.encode(["tea"], model="m", kind="query", timeout_s=5)
    assert encoding.vector == pytest.approx((0.6, 0.8))
    assert encoding.truncated
    with pytest.raises(BadScores, match="1 vector for 2 texts"):
        await client.encode(["tea", "milk"], model="m", kind="query", timeout_s=5)


async def test_a_closed_client_opens_again(serve):
    client = await serve(Answering([result(place, 1.0) for place in range(3)]))
    await rescore(client)
    await client.close()
    assert len(await rescore(client)) == 3


async def test_a_query_with_half_a_surrogate_pair_is_refused_by_name(serve):
    client = await serve(Answering([]))
    with pytest.raises(UnreadableText, match=r"^query: has half of a surrogate pair"):
        await client.rescore("tea \ud83d", PASSAGES, model="m", timeout_s=5)
    with pytest.raises(UnreadableText, match=r"^texts\[1\]: has half"):
        await client.encode(["tea", "\ud83d"], model="m", kind="document", timeout_s=5)
    with pytest.raises(InvalidRequest, match=r"^model: has half"):
        await client.rescore("tea", PASSAGES, model="\ud83d", timeout_s=5)


async def test_a_stored_passage_with_half_a_surrogate_pair_is_scored(serve):
    client = await serve(Answering([result(0, 1.0)]))
    (score,) = await client.rescore("tea", [Passage("a", "tea \ud83d")], model="m", timeout_s=5)
    assert score.score == 1.0
