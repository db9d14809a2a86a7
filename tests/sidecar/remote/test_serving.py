"""Models served elsewhere, through the sidecar's own wires: batches, cache, deadlines, partial answers, failures."""

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc
import pytest
from aiohttp import web
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hybridrank.common.breaker import FAILURES_TO_OPEN as FAILURES
from hybridrank.sidecar.errors import DeadlinePassed
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.models.trial import load_model
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.protocol import rerank_pb2_grpc
from hybridrank.sidecar.rerankers.token_overlap import TokenOverlapReranker
from tests.sidecar.doubles import BrokenModel, loaded
from tests.sidecar.http_serving import serving_both
from tests.sidecar.remote.providers import DIMENSIONS, KEY, answer, endpoints, model_folder, provider
from tests.sidecar.serving import rerank_request

RERANKER, ENCODER = "cohere-reranker", "cohere-encoder"
SECRET_TEXT = "unrepeatable"
Code = grpc.StatusCode


@pytest.fixture
def elsewhere():
    with provider() as found:
        yield found


@asynccontextmanager
async def sidecar(folder, url, *, toml=None, here=(), score_cache_bytes=0, **endpoint):
    """A sidecar with both remote models, and local ones; `toml` are further fields of both."""
    remotes = endpoints(folder, url, RERANKER, ENCODER, **endpoint)
    kinds = ("remote-reranker", "remote-encoder")
    folders = [model_folder(folder, kind, "cohere", **(toml or {})) for kind in kinds]
    models = Models([*here, *(load_model(each, remotes=remotes) for each in folders)])
    async with serving_both(models, score_cache_bytes=score_cache_bytes) as wires:
        try:
            yield wires
        finally:
            await wires.calls.service.close()


async def fails(call) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await call
    assert SECRET_TEXT not in refusal.value.details()
    assert KEY not in refusal.value.details()
    return refusal.value


def answering(value=None, *, status=200, raw=None, **headers):
    async def fault(_request, body):
        text = raw if raw is not None else json.dumps(value(body) if callable(value) else value)
        named = {name.replace("_", "-"): header for name, header in headers.items()}
        return web.Response(text=text, status=status, headers=named, content_type="application/json")

    return fault


def slow(seconds):
    async def fault(request, body):
        await asyncio.sleep(seconds)
        return web.json_response(answer(request.path, body))

    return fault


async def test_both_wires_serve_a_remote_reranker(elsewhere, tmp_path):
    texts = ["a bridge", "green tea with milk", "tea"]
    async with sidecar(tmp_path, elsewhere.url) as wires:
        result = await wires.reranker.Rerank(rerank_request(RERANKER, "green tea", *texts))
        assert [(each.id, each.relevance_score) for each in result.results] == [("p1", 1.0), ("p2", 0.5), ("p0", 0.0)]
        body = {"model": RERANKER, "query": "green tea", "documents": texts, "raw_scores": True}
        found = (await wires.http.post("/v1/rerank", json=body)).json()["results"]
        assert [(each["index"], each["relevance_score"]) for each in found] == [(1, 1.0), (2, 0.5), (0, 0.0)]
    assert elsewhere.paths == ["/v2/rerank"] * 2
    assert elsewhere.bodies[0]["max_tokens_per_doc"] == 512


async def test_both_wires_serve_a_remote_encoder(elsewhere, tmp_path):
    async with sidecar(tmp_path, elsewhere.url) as wires:
        encoder = rerank_pb2_grpc.EncoderStub(wires.channel)
        request = pb.EncodeRequest(model=ENCODER, texts=["green tea"], kind=pb.TEXT_KIND_QUERY)
        vector = (await encoder.Encode(request)).embeddings[0].vector
        assert len(vector) == DIMENSIONS
        assert sum(value * value for value in vector) == pytest.approx(1.0)
        body = {"model": ENCODER, "input": ["green tea"], "input_type": "query"}
        found = (await wires.http.post("/v1/embeddings", json=body)).json()["data"][0]["embedding"]
        assert found == pytest.approx(list(vector))
        refusal = await fails(wires.reranker.Rerank(rerank_request(ENCODER, "tea", "tea")))
        assert refusal.code() == Code.INVALID_ARGUMENT
        assert "only encodes" in refusal.details()
    assert [body["input_type"] for body in elsewhere.bodies] == ["search_query"] * 2


async def test_batches_keep_their_limits(elsewhere, tmp_path):
    elsewhere.always = slow(0.05)
    async with sidecar(tmp_path, elsewhere.url, toml={"max_batch": 3}, concurrency=2) as wires:
        passages = [f"passage {number}" for number in range(20)]
        result = await wires.reranker.Rerank(rerank_request(RERANKER, "passage", *passages))
    assert len(result.results) == 20
    assert [len(body["documents"]) for body in elsewhere.bodies] == [3] * 6 + [2]
    assert elsewhere.most_under_way == 2


async def test_equal_texts_are_asked_once(elsewhere, tmp_path):
    async with sidecar(tmp_path, elsewhere.url, score_cache_bytes=1 << 20) as wires:
        for _ in range(2):
            await wires.reranker.Rerank(rerank_request(RERANKER, "tea", "green tea", "green tea", "cake"))
            request = pb.EncodeRequest(model=ENCODER, texts=["tea", "tea"], kind=pb.TEXT_KIND_DOCUMENT)
            await rerank_pb2_grpc.EncoderStub(wires.channel).Encode(request)
    assert [body.get("documents") or body["texts"] for body in elsewhere.bodies] == [["green tea", "cake"], ["tea"]]


async def test_the_deadline_bounds_a_slow_remote(elsewhere, tmp_path):
    elsewhere.always = slow(30)
    async with sidecar(tmp_path, elsewhere.url) as wires:
        began = time.monotonic()
        refusal = await fails(wires.reranker.Rerank(rerank_request(RERANKER, "tea", "tea"), timeout=0.5))
        assert refusal.code() == Code.DEADLINE_EXCEEDED
        assert time.monotonic() - began < 5


async def test_the_timeout_bounds_a_call_without_deadline(elsewhere, tmp_path):
    elsewhere.always = slow(30)
    async with sidecar(tmp_path, elsewhere.url, timeout_s=0.2) as wires:
        refusal = await fails(wires.reranker.Rerank(rerank_request(RERANKER, "tea", SECRET_TEXT)))
    assert (refusal.code(), "did not answer within 0.2 s" in refusal.details()) == (Code.INTERNAL, True)


async def test_best_effort_returns_the_batches_in_time(elsewhere, tmp_path):
    async def last_is_slow(request, body):
        await asyncio.sleep(30 if "late" in body["documents"] else 0)
        return web.json_response(answer(request.path, body))

    elsewhere.always = last_is_slow
    async with sidecar(tmp_path, elsewhere.url, toml={"max_batch": 2}) as wires:
        request = rerank_request(RERANKER, "tea", "tea", "cake", "late", options=pb.RerankOptions(best_effort=True))
        result = await wires.reranker.Rerank(request, timeout=2)
    assert (result.complete, {each.id for each in result.results}) == (False, {"p0", "p1"})


FAULTS = {
    "refused the key": answering({"message": f"{SECRET_TEXT} invalid"}, status=401),
    "has no such model or path": answering({}, status=404),
    "refused the request (400)": answering({"message": f"bad text {SECRET_TEXT}"}, status=400),
    "failed there (500)": answering({"message": SECRET_TEXT}, status=500),
    "failed there (503)": answering({}, status=503),
    "redirect (302)": answering({}, status=302, Location="http://127.0.0.1:1/"),
    "1 scores for 2 texts": answering({"results": [{"index": 0, "relevance_score": 1.0}]}),
    "indices are not those": answering({"results": [{"index": 1, "relevance_score": 1.0}] * 2}),
    "not finite": answering({"results": [{"index": each, "relevance_score": float("nan")} for each in range(2)]}),
    "another shape": answering({"data": SECRET_TEXT}),
    "not JSON": answering(raw=f"<html>{SECRET_TEXT}"),
    "not numbers": answering({"results": [{"index": each, "relevance_score": [1.0, 2.0]} for each in range(2)]}),
    "another model than theirs; if it is the same, set answers_as": answering({"model": SECRET_TEXT, "results": []}),
    "scores that are not numbers": answering({"results": [{"index": each, "relevance_score": "1"} for each in (0, 1)]}),
    "answered compressed": answering([], Content_Encoding="gzip"),
    "more than the": answering(raw="[" + "1," * (1 << 21)),
}


@pytest.mark.parametrize("problem", FAULTS)
async def test_a_bad_answer_is_an_error_of_one_sentence(problem, elsewhere, tmp_path, capfd):
    elsewhere.always = FAULTS[problem]
    async with sidecar(tmp_path, elsewhere.url) as wires:
        refusal = await fails(wires.reranker.Rerank(rerank_request(RERANKER, SECRET_TEXT, "tea", SECRET_TEXT)))
        assert (refusal.code(), len(elsewhere.bodies)) == (Code.INTERNAL, 1)
        assert problem in refusal.details()
        body = {"model": RERANKER, "query": SECRET_TEXT, "documents": ["tea", "cake"]}
        told = await wires.http.post("/v1/rerank", json=body)
        assert told.status_code == 500
        assert problem in told.json()["message"]
        assert SECRET_TEXT not in told.text
        assert KEY not in (await wires.http.get("/metrics")).text
    logged = "".join(capfd.readouterr())
    assert "RemoteFailed" in logged
    assert KEY not in logged
    assert SECRET_TEXT not in logged


BAD_VECTORS = {
    "vectors of 3 dimensions, and model.toml says 64": [1.0, 2.0, 3.0],
    "a vector that is not finite": [float("nan")] * DIMENSIONS,
    "a vector of zeros": [0.0] * DIMENSIONS,
    "vectors that are not of numbers": ["0.5"] * DIMENSIONS,
    "another shape": [[0.5, 0.5], *[0.5] * (DIMENSIONS - 1)],
}


@pytest.mark.parametrize("problem", BAD_VECTORS)
async def test_a_bad_vector_is_an_error_of_one_sentence(problem, elsewhere, tmp_path):
    elsewhere.always = answering({"embeddings": {"float": [BAD_VECTORS[problem]]}})
    async with sidecar(tmp_path, elsewhere.url) as wires:
        call = rerank_pb2_grpc.EncoderStub(wires.channel).Encode
        refusal = await fails(call(pb.EncodeRequest(model=ENCODER, texts=["tea"], kind=pb.TEXT_KIND_DOCUMENT)))
    assert refusal.code() == Code.INTERNAL
    assert problem in refusal.details()


async def test_retry_after_is_heeded_within_the_deadline(elsewhere, tmp_path):
    elsewhere.faults = [answering({}, status=429, Retry_After="1"), answering({}, status=503, Retry_After="0")]
    async with sidecar(tmp_path, elsewhere.url) as wires:
        began = time.monotonic()
        result = await wires.reranker.Rerank(rerank_request(RERANKER, "tea", "tea"), timeout=20)
        assert [each.relevance_score for each in result.results] == [1.0]
        assert time.monotonic() - began > 0.9
        assert await wires.metric("remote_requests_total", model=RERANKER, outcome="throttled") == 2
    assert len(elsewhere.bodies) == 3


async def test_retry_after_the_deadline_is_refused_at_once(elsewhere, tmp_path):
    elsewhere.faults = [answering({}, status=429, Retry_After="60")]
    async with sidecar(tmp_path, elsewhere.url) as wires:
        for _ in range(2):  # the second is not even sent
            refusal = await fails(wires.reranker.Rerank(rerank_request(RERANKER, "tea", "tea"), timeout=5))
            assert refusal.code() == Code.RESOURCE_EXHAUSTED
            assert 58 <= int(dict(refusal.trailing_metadata())["retry-after"]) <= 60
    assert len(elsewhere.bodies) == 1


async def test_a_remote_that_fails_is_left_alone_for_a_while(elsewhere, tmp_path):
    elsewhere.always = FAULTS["failed there (500)"]
    async with sidecar(tmp_path, elsewhere.url, here=[loaded(TokenOverlapReranker())]) as wires:
        health = health_pb2_grpc.HealthStub(wires.channel)

        async def serves(name):
            await asyncio.sleep(0.05)
            reply = await health.Check(health_pb2.HealthCheckRequest(service=name))
            return reply.status == health_pb2.HealthCheckResponse.SERVING

        assert await serves(RERANKER)
        call = rerank_request(RERANKER, "tea", "tea")
        codes = [(await fails(wires.reranker.Rerank(call))).code() for _ in range(FAILURES + 2)]
        assert codes == [Code.INTERNAL] * FAILURES + [Code.RESOURCE_EXHAUSTED] * 2
        assert len(elsewhere.bodies) == FAILURES
        assert [await serves(name) for name in (RERANKER, ENCODER, "token-overlap", "")] == [False, True, True, True]
        ready = await wires.http.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready", "remotes_down": [RERANKER]})
        assert await wires.metric("remote_up", model=RERANKER) == 0
        assert await wires.metric("remote_up", model=ENCODER) == 1
        assert await wires.metric("remote_requests_total", model=RERANKER, outcome="refused") == 2
        local = await wires.reranker.Rerank(rerank_request("token-overlap", "tea", "tea"))
        assert [each.relevance_score for each in local.results] == [1.0]
        elsewhere.always = None
        client = wires.calls.service.models.get(RERANKER).remote.client
        client._breaker = replace(client._breaker, closed_from=0.0)  # the pause is over
        assert len((await wires.reranker.Rerank(call)).results) == 1
        assert await serves(RERANKER)
        assert (await wires.http.get("/readyz")).json() == {"status": "ready"}


async def test_a_key_that_was_rotated_on_disk_is_taken(elsewhere, tmp_path):
    async with sidecar(tmp_path, elsewhere.url, key="key-that-ended") as wires:
        assert (
            "refused the key" in (await fails(wires.reranker.Rerank(rerank_request(RERANKER, "tea", "tea")))).details()
        )
        endpoints(tmp_path, f"{elsewhere.url}/other", RERANKER)  # a key for another address is not for this one
        assert (
            "refused the key" in (await fails(wires.reranker.Rerank(rerank_request(RERANKER, "tea", "tea")))).details()
        )
        endpoints(tmp_path, elsewhere.url, RERANKER)
        texts = [f"{RERANKER} {number}" for number in range(3)]
        calls = [wires.reranker.Rerank(rerank_request(RERANKER, each, "tea")) for each in texts]  # all with the old key
        assert [len(each.results) for each in await asyncio.gather(*calls)] == [1, 1, 1]
        (tmp_path / "remotes.toml").write_text("half a fi")
        assert len((await wires.reranker.Rerank(rerank_request(RERANKER, "tea", "cake"))).results) == 1
    keys = [each["Authorization"].removeprefix("Bearer ") for each in elsewhere.headers]
    assert (set(keys[:3]), set(keys[-2:]), keys.count(KEY)) == ({"key-that-ended"}, {KEY}, 4)


async def test_a_remote_left_alone_says_why(elsewhere, tmp_path):
    elsewhere.always = FAULTS["refused the key"]
    async with sidecar(tmp_path, elsewhere.url) as wires:
        for _ in range(FAILURES):
            await fails(wires.reranker.Rerank(rerank_request(RERANKER, "tea", "tea")))
        refusal = await fails(wires.reranker.Rerank(rerank_request(RERANKER, "tea", "tea")))
    assert "failed 5 times in a row, the last time it refused the key; look at it in the file" in refusal.details()


@pytest.mark.parametrize("status", [400, 429])
async def test_an_answer_that_refuses_ends_the_pause(status, elsewhere, tmp_path):
    elsewhere.faults = [FAULTS["failed there (500)"]] * FAILURES + [answering({}, status=status)]
    async with sidecar(tmp_path, elsewhere.url) as wires:
        for _ in range(FAILURES):
            await fails(wires.reranker.Rerank(rerank_request(RERANKER, "tea", "tea")))
        client = wires.calls.service.models.get(RERANKER).remote.client
        client._breaker = replace(client._breaker, closed_from=0.0)  # the pause is over
        await fails(wires.reranker.Rerank(rerank_request(RERANKER, "tea", "tea")))
        assert not client.down
        assert len((await wires.reranker.Rerank(rerank_request(RERANKER, "tea", "tea"))).results) == 1


async def test_hasty_callers_do_not_shut_out_patient_ones(elsewhere, tmp_path):
    elsewhere.always = slow(0.7)
    folder = model_folder(tmp_path, "remote-reranker", "cohere")
    model = load_model(folder, remotes=endpoints(tmp_path, elsewhere.url, RERANKER))
    (pairs,) = model.reranker.windows("tea", ["tea"], 1)
    for _ in range(FAILURES):
        with pytest.raises(DeadlinePassed):
            await model.remote.compute(pairs, time.monotonic() + 0.05)
    assert (await model.remote.compute(pairs, time.monotonic() + 20)).tolist() == [1.0]
    await model.remote.client.close()


async def test_a_model_may_answer_in_another_name(elsewhere, tmp_path):
    elsewhere.always = answering({"model": "theirs-v2", "results": [{"index": 0, "relevance_score": 0.5}]})
    async with sidecar(tmp_path, elsewhere.url, toml={"answers_as": "theirs-v2"}) as wires:
        result = await wires.reranker.Rerank(rerank_request(RERANKER, "tea", "tea"))
    assert [each.relevance_score for each in result.results] == [0.5]


async def test_a_slow_remote_delays_no_local_model(elsewhere, tmp_path):
    elsewhere.always = slow(30)
    async with sidecar(tmp_path, elsewhere.url, here=[loaded(TokenOverlapReranker())]) as wires:
        waiting = [
            asyncio.ensure_future(
                fails(wires.reranker.Rerank(rerank_request(RERANKER, f"tea {each}", "tea"), timeout=3))
            )
            for each in range(20)
        ]
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await wires.reranker.Rerank(rerank_request("token-overlap", "tea", "tea"), timeout=2)
        assert time.monotonic() - began < 1
        assert {each.code() for each in await asyncio.gather(*waiting)} <= {Code.DEADLINE_EXCEEDED}


async def test_a_call_without_a_model_goes_to_a_local_one(elsewhere, tmp_path):
    async with sidecar(tmp_path, elsewhere.url) as wires:
        assert (await wires.http.post("/v1/embeddings", json={"input": "tea"})).json()["model"] == ENCODER
        wires.calls.service.models.put(loaded(BrokenModel()))
        local = await wires.http.post("/v1/embeddings", json={"input": "tea"})
        assert "model broken returned a number that is not finite" in local.json()["error"]["message"]
        assert len(elsewhere.bodies) == 1
        wires.calls.service.models.remove("broken")
        assert (await wires.http.get("/info")).json()["model_id"] == RERANKER
        wires.calls.service.models.put(loaded(TokenOverlapReranker()))
        assert (await wires.http.get("/info")).json()["model_id"] == "token-overlap"
