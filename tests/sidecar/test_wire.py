"""The real server on a free port, a real channel: what callers get, and what they are told when they get nothing."""

import asyncio
import json
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from hybridrank.model_files import model_folder
from hybridrank.models import SHIPPED_MODELS
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.protocol import rerank_pb2 as pb
from hybridrank.sidecar.transport.grpc.server import GrpcServer
from tests.sidecar.doubles import BrokenModel, ConfidentReranker, GatedReranker, loaded
from tests.sidecar.serving import rerank_request, serving

QUERY = "which animal barks"
LICENCE = Path(__file__).parents[2] / "LICENSE"  # some 1,200 tokens in 6,000 letters, and no animal
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
async def client(shipped):
    async with serving(shipped) as client:
        yield client


@pytest.fixture
async def gated():
    """A server whose one model waits for its gate, and the model."""
    reranker = GatedReranker()
    async with serving(Models([loaded(reranker)]), threads=1, max_queue_tokens=10) as client:
        yield client, reranker
        reranker.gate.set()


async def started(reranker):
    assert await asyncio.to_thread(reranker.started.wait, 60)


async def refusal(call) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return error.value


@pytest.mark.parametrize("model", ["cross-encoder", "colbert", "encoder-minilm-l6:2"])
async def test_rerank_puts_the_answer_first(client, model):
    passages = ("Interest rates rose again.", "A dog barks when someone is at the door.", "Cats purr.")
    response = await client.reranker.Rerank(rerank_request(model, QUERY, *passages))
    assert response.results[0].id == "p1"
    assert sorted(result.index for result in response.results) == [0, 1, 2]
    assert response.complete
    assert response.model.digest
    assert response.timings.compute_ms > 0


async def test_encode_returns_unit_vectors_in_order(client):
    texts = ["a dog barks", "a hound barks", "interest rates"]
    response = await client.encoder.Encode(pb.EncodeRequest(model="encoder", texts=texts, kind=pb.TEXT_KIND_DOCUMENT))
    first, second, third = ([*one.vector] for one in response.embeddings)
    assert len(first) == response.model.dimensions == 384
    assert sum(x * x for x in first) == pytest.approx(1, abs=1e-5)
    assert sum(x * y for x, y in zip(first, second, strict=True)) > sum(
        x * y for x, y in zip(first, third, strict=True)
    )


async def test_list_and_get(client):
    listed = (await client.models.List(pb.ListModelsRequest())).models
    assert {model.name: model.kind for model in listed} == {
        "cross-encoder-minilm-l6": "cross-encoder",
        "cross-encoder-nano": "cross-encoder",
        "encoder-minilm-l6": "encoder",
    }
    for model in listed:
        assert model.blend_weight == (model_folder.read(SHIPPED_MODELS / model.name).info.blend_weight or 0)
    got = await client.models.Get(pb.GetModelRequest(model="colbert"))
    assert got.name == "encoder-minilm-l6"
    assert got in listed


async def test_odd_candidates_are_all_scored(client):
    passages = ("word " * 20_000, "🐕 🐈", "", "a dog barks", "a dog barks")
    request = rerank_request("cross-encoder", QUERY, *passages)
    for candidate in request.candidates:
        candidate.id = "same"
    response = await client.reranker.Rerank(request)
    assert {result.id for result in response.results} == {"same"}
    by_index = {result.index: result for result in response.results}
    assert [by_index[index].truncated for index in range(5)] == [True, False, False, False, False]
    assert by_index[3].relevance_score == by_index[4].relevance_score
    order = [result.index for result in response.results]
    assert order.index(3) < order.index(4)


@pytest.mark.parametrize("model", ["cross-encoder", "colbert"])
async def test_the_best_window_of_a_long_document_counts(client, model):
    answer, filler = "A dog barks when someone is at the door. " * 12, LICENCE.read_text()[:6000]
    passages = (answer + filler, filler + answer, filler, answer)
    first, back, none, short = (0, 1, 2, 3)
    options = pb.RerankOptions(max_chunks_per_document=20)
    beginnings = pb.RerankOptions(max_chunks_per_document=1)
    cut = await client.reranker.Rerank(rerank_request(model, QUERY, *passages, options=beginnings))
    whole = await client.reranker.Rerank(rerank_request(model, QUERY, *passages, options=options))
    cut_by_index, by_index = ({result.index: result for result in reply.results} for reply in (cut, whole))
    assert not any(result.HasField("best_chunk") for result in cut.results)
    assert [by_index[index].best_chunk for index in (first, short)] == [0, 0]
    assert by_index[back].best_chunk >= 1
    assert cut_by_index[back].relevance_score == pytest.approx(cut_by_index[none].relevance_score, abs=0.01)
    assert by_index[back].relevance_score > by_index[none].relevance_score
    assert by_index[first].relevance_score == cut_by_index[first].relevance_score
    assert [cut_by_index[index].truncated for index in (first, back, none, short)] == [True, True, True, False]
    assert not any(result.truncated for result in whole.results)


async def test_a_thousand_candidates(client):
    passages = [f"number {index} barks" for index in range(1000)]
    response = await client.reranker.Rerank(rerank_request("colbert", QUERY, *passages, top_k=10))
    assert len(response.results) == 10
    scores = [result.relevance_score for result in response.results]
    assert scores == sorted(scores, reverse=True)


async def test_a_message_larger_than_the_default_limit_of_grpc(client):
    texts = ["word " * 1_000_000]
    response = await client.encoder.Encode(pb.EncodeRequest(model="encoder", texts=texts, kind=pb.TEXT_KIND_DOCUMENT))
    assert response.embeddings[0].truncated


async def test_no_candidates_no_results(client):
    response = await client.reranker.Rerank(rerank_request("cross-encoder", QUERY))
    assert list(response.results) == []
    assert response.complete


async def test_an_empty_query_names_its_field(client):
    error = await refusal(client.reranker.Rerank(rerank_request("cross-encoder", "  ", "a dog")))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith("query: ")


async def test_an_unknown_model_lists_those_loaded(client):
    for call in (
        client.reranker.Rerank(rerank_request("bert", QUERY)),
        client.encoder.Encode(pb.EncodeRequest(model="bert")),
        client.models.Get(pb.GetModelRequest(model="bert")),
    ):
        error = await refusal(call)
        assert error.code() is grpc.StatusCode.NOT_FOUND
        assert "'bert'" in error.details()
        assert "encoder-minilm-l6" in error.details()


async def test_nan_from_a_model_is_an_error_and_never_a_ranking():
    async with serving(Models([loaded(BrokenModel())])) as client:
        error = await refusal(client.reranker.Rerank(rerank_request("broken", QUERY, "two words", "one")))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "candidates[1]" in error.details()


async def test_an_unexpected_error_is_internal_without_its_message(capsys):
    async with serving(Models([loaded(BrokenModel())])) as client:
        call = client.reranker.Rerank(
            rerank_request("broken", QUERY, "raise it"), metadata=(("x-request-id", "my-request-7"),)
        )
        error = await refusal(call)
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "my-request-7" in error.details()
    assert "cat" not in error.details()
    assert "the cat sat on the tokenizer" in capsys.readouterr().err


async def logged(capsys, code):
    """Wait until the server has ended a call with `code`."""
    lines = ""
    while f'"code": "{code}"' not in lines:
        await asyncio.sleep(0.01)
        lines += capsys.readouterr().err


async def test_the_deadline_ends_a_call_and_the_rest_is_not_computed(gated, capsys):
    client, reranker = gated
    error = await refusal(client.reranker.Rerank(rerank_request("gated", "a", "a b c", "d e f", "g h i"), timeout=0.3))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await logged(capsys, "DEADLINE_EXCEEDED")
    reranker.gate.set()
    await client.reranker.Rerank(rerank_request("gated", "a", "x"))
    assert reranker.scored == [3, 1]


async def test_a_cancelled_call_is_not_computed(gated, capsys):
    client, reranker = gated
    call = client.reranker.Rerank(rerank_request("gated", "a", "a b c", "d e f", "g h i"))
    await started(reranker)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await logged(capsys, "CANCELLED")
    reranker.gate.set()
    await client.reranker.Rerank(rerank_request("gated", "a", "x"))
    assert reranker.scored == [3, 1]


async def test_an_unreachable_deadline_is_refused_before_computing(gated):
    client, reranker = gated
    client.service.worker.admissions.pace.measured("gated", tokens=1, seconds=3600)
    error = await refusal(client.reranker.Rerank(rerank_request("gated", "a", "a b c"), timeout=600))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "best_effort" in error.details()
    reranker.gate.set()
    assert len((await client.reranker.Rerank(rerank_request("gated", "a", "a"))).results) == 1
    assert reranker.scored == [1]


async def test_best_effort_returns_the_scores_ready_near_the_deadline(gated):
    client, reranker = gated
    reranker.free = 2
    request = rerank_request("gated", "a b", "none", "a b", "a b c", "a", options=pb.RerankOptions(best_effort=True))
    response = await client.reranker.Rerank(request, timeout=1)
    assert [(result.id, result.relevance_score) for result in response.results] == [("p1", 1.0), ("p0", 0.0)]
    assert not response.complete
    reranker.gate.set()
    again = await client.reranker.Rerank(request, timeout=60)
    assert len(again.results) == 4
    assert again.complete


async def test_equal_passages_are_scored_once_and_returned_each(gated):
    client, reranker = gated
    reranker.gate.set()
    response = await client.reranker.Rerank(rerank_request("gated", "a", "a b", "b", "a b"))
    assert [(result.index, result.relevance_score) for result in response.results] == [(0, 1.0), (2, 1.0), (1, 0.0)]
    assert reranker.scored == [2, 1]


async def test_a_cached_score_is_identical_and_not_computed_again(shipped):
    passages = ("A dog barks at the door.", "Cats purr.", "Interest rates rose again.", "Cats purr.")
    async with serving(shipped, score_cache_bytes=1_000_000) as client:
        for model in ("cross-encoder", "colbert"):
            first = await client.reranker.Rerank(rerank_request(model, QUERY, *passages))
            again = await client.reranker.Rerank(rerank_request(model, QUERY, *reversed(passages), top_k=2))
            assert first.timings.compute_ms > 0 == again.timings.compute_ms
            scores = {passages[result.index]: result.relevance_score for result in first.results}
            assert len(again.results) == 2
            for result in again.results:
                assert result.relevance_score == scores[passages[3 - result.index]]
        request = pb.EncodeRequest(model="encoder", texts=["a dog barks"])
        vector = (await client.encoder.Encode(request)).embeddings[0].vector
        assert (await client.encoder.Encode(request)).embeddings[0].vector == vector
        assert (client.service.cache.hits, client.service.cache.misses) == (7, 7)


async def test_a_cached_score_belongs_to_one_query_and_model():
    models = Models([loaded(GatedReranker(free=1000)), loaded(ConfidentReranker())])
    options = pb.RerankOptions(max_chunks_per_document=1)
    async with serving(models, score_cache_bytes=1_000_000) as client:
        for _ in range(2):
            for model, query, score in (("gated", "a", 1), ("gated", "a b", 0.5), ("confident", "a", 1000)):
                request = rerank_request(model, query, "a " * 600, options=options)
                (result,) = (await client.reranker.Rerank(request)).results
                assert (result.relevance_score, result.truncated) == (score, True)
        assert (client.service.cache.hits, client.service.cache.misses) == (3, 3)


async def test_after_a_partial_answer_asking_again_gets_further(gated):
    client, reranker = gated
    client.service.cache.max_bytes = 10_000
    reranker.free = 1
    request = rerank_request("gated", "a", "a", "b", "a b", options=pb.RerankOptions(best_effort=True))
    assert len((await client.reranker.Rerank(request, timeout=0.5)).results) == 2
    reranker.gate.set()
    assert (await client.reranker.Rerank(request)).complete
    assert reranker.scored[-1] == 2
    assert reranker.scored.count(1) == 2


async def test_a_short_request_overtakes_a_long_one():
    reranker = GatedReranker()
    async with serving(Models([loaded(reranker)]), threads=1) as client:
        texts = [f"{index} " + "b " * 499 for index in range(200)]  # 50 s of patience
        long = client.reranker.Rerank(rerank_request("gated", "a", *texts))
        await started(reranker)
        short = asyncio.ensure_future(client.reranker.Rerank(rerank_request("gated", "a", "x")))
        while client.service.queued_tokens != 199 * 500 + 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        reranker.gate.set()
        await asyncio.gather(long, short)
    assert reranker.scored == [500, 1] + [500] * 199


async def test_a_call_too_many_is_refused_at_once_with_a_retry_time(gated):
    client, reranker = gated
    running = client.reranker.Rerank(rerank_request("gated", "a", "a " * 10, "b " * 9))
    await started(reranker)
    error = await refusal(client.reranker.Rerank(rerank_request("gated", "a", "c c")))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert int(dict(error.trailing_metadata())["retry-after"]) >= 1
    reranker.gate.set()
    assert len((await running).results) == 2


async def test_health_of_the_whole_each_service_and_each_model(client):
    names = ("", "hybridrank.v1.Reranker", "hybridrank.v1.Encoder", "hybridrank.v1.ModelRegistry", "encoder-minilm-l6")
    for name in names:
        assert (await client.health.Check(health_pb2.HealthCheckRequest(service=name))).status == SERVING
    error = await refusal(client.health.Check(health_pb2.HealthCheckRequest(service="unknown")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_draining_turns_unhealthy_and_finishes_running_calls(gated):
    client, reranker = gated
    running = client.reranker.Rerank(rerank_request("gated", "a", "a", "b"))
    await started(reranker)
    stopping = asyncio.create_task(client.server.stop(60))
    statuses = client.health.Watch(health_pb2.HealthCheckRequest())
    while (await statuses.read()).status != NOT_SERVING:
        pass
    error = await refusal(client.reranker.Rerank(rerank_request("gated", "a", "a")))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "shutting down" in error.details()
    reranker.gate.set()
    assert [result.index for result in (await running).results] == [0, 1]
    assert await stopping


async def test_a_drain_that_takes_too_long_is_cut_off(gated):
    client, reranker = gated
    running = client.reranker.Rerank(rerank_request("gated", "a", "a"))
    await started(reranker)
    assert not await client.server.stop(0.1)
    assert (await refusal(running)).code() is grpc.StatusCode.UNAVAILABLE


async def test_reflection_lists_our_services(client):
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_pb2_grpc.ServerReflectionStub(client.channel)
    async for response in stub.ServerReflectionInfo(iter([request])):
        names = {service.name for service in response.list_services_response.service}
        break
    assert {"hybridrank.v1.Reranker", "hybridrank.v1.Encoder", "hybridrank.v1.ModelRegistry"} <= names


async def test_one_log_line_a_call_and_no_text_in_it(client, capsys):
    await client.reranker.Rerank(
        rerank_request("cross-encoder", "secret query", "secret passage"), metadata=(("x-request-id", "abc.1"),)
    )
    await refusal(client.reranker.Rerank(rerank_request("secret model", "secret query")))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["code"]) for line in lines] == [("call", "OK"), ("call", "NOT_FOUND")]
    assert lines[0]["request_id"] == "abc.1"
    assert lines[0]["method"] == "/hybridrank.v1.Reranker/Rerank"
    assert lines[0]["candidates"] == 1
    assert lines[0]["model"] == "cross-encoder-minilm-l6"
    assert "secret" not in json.dumps(lines)


async def test_a_request_id_unfit_for_a_log_line_is_replaced(client):
    call = client.models.List(pb.ListModelsRequest(), metadata=(("x-request-id", "two words"),))
    request_id = dict(await call.trailing_metadata())["x-request-id"]
    assert request_id != "two words"
    assert len(request_id) == 32


async def test_a_port_that_is_taken_is_an_error(client):
    host, port = client.address.split(":")
    with pytest.raises(OSError, match=f"cannot listen on {client.address}"):
        await GrpcServer(client.service, host=host, port=int(port)).start()
