"""Every HTTP API over the real wire: what callers get, and what they are told when they get nothing."""

import asyncio
import json
import socket
from base64 import b64decode

import httpx
import numpy as np
import pytest

from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.transport.http.answers import RerankAnswer, TeiResult, VoyageAnswer
from hybridrank.sidecar.transport.http.embed_answers import EmbeddingsAnswer
from hybridrank.sidecar.transport.http.server import HttpServer
from hybridrank.sidecar.transport.security.keys import KeyRing
from tests.sidecar.doubles import BrokenModel, GatedReranker, loaded
from tests.sidecar.http_serving import serving_both
from tests.sidecar.serving import rerank_request

QUERY = "which animal barks"
DOCUMENTS = ["Interest rates rose again.", "A dog barks when someone is at the door.", "Cats purr."]
RERANK = {"model": "cross-encoder", "query": QUERY, "documents": DOCUMENTS}
KEY = "a-key-of-sixteen-characters"


@pytest.fixture
async def wires(shipped):
    async with serving_both(shipped) as wires:
        yield wires


@pytest.fixture
async def gated():
    """A server whose one model waits for its gate, and the model."""
    reranker = GatedReranker()
    async with serving_both(Models([loaded(reranker)]), threads=1, max_queue_tokens=10) as wires:
        yield wires, reranker
        reranker.gate.set()


async def started(reranker):
    assert await asyncio.to_thread(reranker.started.wait, 60)


@pytest.mark.parametrize(("path", "status"), [("/", 404), ("/v1", 404), ("/v3/rerank", 404), ("/v1/rerank", 405)])
async def test_a_path_that_is_none_points_to_the_docs(wires, path, status):
    response = await wires.http.get(path)
    assert response.status_code == status
    assert "GET /docs" in response.json()["message"]
    assert response.json()["detail"] == response.json()["message"]
    assert response.headers.get("allow") == ("POST" if status == 405 else None)


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
async def test_cohere_and_jina_get_one_answer_that_both_can_read(wires, path):
    response = await wires.http.post(path, json=RERANK | {"return_documents": True})
    assert response.status_code == 200
    answer = RerankAnswer.model_validate(response.json())
    assert answer.results[0].index == 1
    assert sorted(result.index for result in answer.results) == [0, 1, 2]
    assert answer.results[0].document.text == DOCUMENTS[1]
    assert answer.model == "cross-encoder-minilm-l6"
    assert answer.meta == {"api_version": {"version": path[2]}, "billed_units": {"search_units": 1}}
    assert answer.usage.total_tokens > 3 * 5
    assert answer.id == response.headers["x-request-id"]
    assert answer.complete


async def test_http_scores_equal_grpc_scores_raw_and_as_probabilities(wires):
    raw = (await wires.http.post("/v1/rerank", json=RERANK | {"raw_scores": True})).json()["results"]
    squashed = (await wires.http.post("/v1/rerank", json=RERANK)).json()["results"]
    grpc = (await wires.reranker.Rerank(rerank_request("cross-encoder", QUERY, *DOCUMENTS))).results
    assert [r["index"] for r in raw] == [r["index"] for r in squashed] == [r.index for r in grpc]
    assert [r["relevance_score"] for r in raw] == pytest.approx([r.relevance_score for r in grpc], rel=1e-10)
    expected = [1 / (1 + np.exp(-r.relevance_score)) for r in grpc]
    assert [r["relevance_score"] for r in squashed] == pytest.approx(expected, rel=1e-9)


async def test_every_document_is_returned_unless_fewer_are_asked_for(wires):
    for wanted, expected in ((None, 3), (0, 3), (2, 2), (9, 3)):
        response = await wires.http.post("/v1/rerank", json=RERANK | {"top_n": wanted})
        assert len(response.json()["results"]) == expected


async def test_voyage_is_told_by_its_fields(wires):
    body = RERANK | {"top_k": 1, "truncation": True, "return_documents": True}
    answer = VoyageAnswer.model_validate((await wires.http.post("/v1/rerank", json=body)).json())
    assert [(result.index, result.document) for result in answer.data] == [(1, DOCUMENTS[1])]
    every = (await wires.http.post("/v1/rerank", json=RERANK | {"truncation": True, "top_k": None})).json()
    assert len(every["data"]) == 3
    assert "document" not in every["data"][0]


async def test_tei_gets_an_array(wires):
    response = await wires.http.post("/rerank", json={"query": QUERY, "texts": DOCUMENTS, "return_text": True})
    results = [TeiResult.model_validate(each) for each in response.json()]
    assert (results[0].index, results[0].text) == (1, DOCUMENTS[1])
    assert len(results) == 3


@pytest.mark.parametrize(
    ("path", "body"),
    [("/rerank", {"query": QUERY, "texts": DOCUMENTS}), ("/embed", {"inputs": DOCUMENTS}), ("/v2/rerank", RERANK)],
)
async def test_a_model_that_is_named_serves_or_is_not_found(wires, path, body):
    named = await wires.http.post(path, json=body | {"model": "encoder"})
    assert named.status_code == 200
    if path == "/rerank":
        assert named.json() != (await wires.http.post(path, json=body)).json()
    assert (await wires.http.post(path, json=body | {"model": "no-such-model"})).status_code == 404


async def test_objects_are_scored_by_their_text_or_the_fields_named(wires):
    objects = [{"title": "Rates", "text": DOCUMENTS[0]}, {"title": "A dog barks.", "text": DOCUMENTS[2], "year": 1}]
    by_text = (
        await wires.http.post("/v1/rerank", json=RERANK | {"documents": objects, "return_documents": True})
    ).json()
    assert {result["document"]["text"] for result in by_text["results"]} == {DOCUMENTS[0], DOCUMENTS[2]}
    body = RERANK | {"documents": objects, "rank_fields": ["title", "year"], "return_documents": True}
    by_fields = (await wires.http.post("/v1/rerank", json=body)).json()
    assert by_fields["results"][0]["document"]["text"] == "A dog barks.\n1"


async def test_without_a_model_the_first_that_fits_answers(wires):
    body = {"query": QUERY, "documents": DOCUMENTS}
    assert (await wires.http.post("/v1/rerank", json=body)).json()["model"] == "cross-encoder-minilm-l6"
    assert (await wires.http.post("/v1/embeddings", json={"input": "a dog"})).json()["model"] == "encoder-minilm-l6"


async def test_no_documents_no_results(wires):
    assert (await wires.http.post("/v1/rerank", json=RERANK | {"documents": []})).json()["results"] == []
    assert (await wires.http.post("/rerank", json={"query": QUERY, "texts": []})).json() == []
    assert (await wires.http.post("/v1/embeddings", json={"input": []})).json()["data"] == []


async def test_embeddings_as_numbers_and_as_base64(wires):
    body = {"model": "encoder", "input": ["a dog barks", "a hound barks"]}
    numbers = EmbeddingsAnswer.model_validate((await wires.http.post("/v1/embeddings", json=body)).json())
    packed = (await wires.http.post("/v1/embeddings", json=body | {"encoding_format": "base64"})).json()
    for vector, other in zip(numbers.data, packed["data"], strict=True):
        assert (vector.index, len(vector.embedding)) == (other["index"], 384)
        unpacked = np.frombuffer(b64decode(other["embedding"]), dtype="<f4")
        np.testing.assert_array_equal(np.array(vector.embedding, dtype=np.float32), unpacked)
        assert np.linalg.norm(unpacked) == pytest.approx(1, abs=1e-5)
    assert packed["usage"]["total_tokens"] == 12  # [CLS], a, dog or hound, bark, ##s, [SEP]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/rerank", {"documents": ["a"]}, "query"),
        ("/v1/rerank", {"query": " ", "documents": ["a"]}, "query"),
        ("/v1/rerank", {"query": "a", "documents": ["a", 7]}, "documents[1]"),
        ("/v1/rerank", {"query": "a", "documents": [{"title": "a"}]}, "documents[0]"),
        ("/v1/rerank", {"query": "a", "documents": [{"text": "a"}], "rank_fields": ["title"]}, "documents[0]"),
        ("/v2/rerank", {"query": "a", "documents": ["a"], "top_n": -1}, "top_n"),
        ("/rerank", {"query": "a", "texts": [["a"]]}, "texts[0]"),
        ("/v1/embeddings", {"input": [[1, 2]]}, "input[0]"),
        ("/v1/embeddings", {"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ("/v1/embeddings", {"input": "a", "model": "cross-encoder"}, "model"),
        ("/v1/embeddings", {"input": "a", "model": "encoder", "dimensions": 8}, "dimensions"),
    ],
)
async def test_a_wrong_field_is_named_in_the_words_of_the_api(wires, path, body, field):
    response = await wires.http.post(path, json=body)
    assert response.status_code == 400
    error = response.json()
    if path == "/v1/embeddings":
        assert (error["error"]["param"], error["error"]["type"]) == (field, "invalid_request_error")
        assert error["error"]["message"].startswith(f"{field}: ")
    elif path == "/rerank":
        assert error["error"].startswith(f"{field}: ")
        assert error["error_type"] == "Validation"
    else:
        assert error["message"] == error["detail"]
        assert error["message"].startswith(f"{field}: ")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"\\ud800"', b"\xff\xfe", b'{"query":' + b"[" * 10_000])
async def test_a_body_that_is_no_json_object_is_refused(wires, body):
    for path in ("/v1/rerank", "/v2/rerank", "/rerank", "/v1/embeddings"):
        assert (await wires.http.post(path, content=body)).status_code == 400


async def test_an_unknown_model_lists_those_loaded(wires):
    response = await wires.http.post("/v1/rerank", json=RERANK | {"model": "bert"})
    assert response.status_code == 404
    assert "'bert'" in response.json()["message"]
    assert "cross-encoder-minilm-l6" in response.json()["message"]
    response = await wires.http.post("/v1/embeddings", json={"model": "bert", "input": "a"})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


async def test_a_body_over_the_limit_is_refused_with_or_without_length(tiny):
    async def in_parts():
        for _ in range(100):
            yield b" " * 100

    async with serving_both(tiny, max_body_bytes=5000) as wires:
        for content in (b" " * 5001, in_parts()):
            response = await wires.http.post("/v1/rerank", content=content)
            assert response.status_code == 413
            assert "5000 bytes" in response.json()["message"]


async def test_an_http_request_too_many_is_refused_with_a_retry_time(gated):
    wires, reranker = gated
    running = asyncio.ensure_future(wires.reranker.Rerank(rerank_request("gated", "a", "a " * 20, "b " * 9)))
    await started(reranker)
    response = await wires.http.post("/v1/rerank", json={"query": "a", "documents": ["c c " * 9]})
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["x-amzn-errortype"] == "ThrottlingException"
    reranker.gate.set()
    assert len((await running).results) == 2


async def test_nan_from_a_model_is_an_error_and_never_a_ranking():
    async with serving_both(Models([loaded(BrokenModel())])) as wires:
        response = await wires.http.post("/v1/rerank", json={"query": QUERY, "documents": ["two words", "one"]})
    assert response.status_code == 500
    assert "not finite" in response.json()["message"]


async def test_an_unexpected_error_keeps_its_words_to_itself(capsys):
    async with serving_both(Models([loaded(BrokenModel())])) as wires:
        body = {"query": QUERY, "texts": ["raise it"]}
        response = await wires.http.post("/rerank", json=body, headers={"x-request-id": "my-request-7"})
    assert (response.status_code, response.json()["error_type"]) == (500, "Backend")
    assert "my-request-7" in response.text
    assert "cat" not in response.text
    assert "the cat sat on the tokenizer" in capsys.readouterr().err


async def test_one_log_line_a_call_and_no_text_in_it(wires, capsys):
    body = {"model": "cross-encoder", "query": "secret query", "documents": ["secret document"]}
    response = await wires.http.post("/v1/rerank", json=body, headers={"x-request-id": "abc.1"})
    assert response.headers["x-request-id"] == "abc.1"
    await wires.http.post(
        "/v1/rerank", json={"query": 1, "documents": ["secret"]}, headers={"x-request-id": "two words"}
    )
    await wires.http.get("/healthz")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["code"]) for line in lines] == [("call", "OK"), ("call", "INVALID_ARGUMENT")]
    assert (lines[0]["request_id"], len(lines[1]["request_id"])) == ("abc.1", 32)
    assert (lines[0]["method"], lines[0]["candidates"]) == ("POST /v1/rerank", 1)
    assert lines[0]["model"] == "cross-encoder-minilm-l6"
    assert "secret" not in json.dumps(lines)


async def test_the_request_of_a_caller_that_left_is_not_computed(gated):
    wires, reranker = gated
    body = {"query": "a", "documents": ["a b c", "d e f", "g h i"]}
    running = asyncio.create_task(wires.http.post("/v1/rerank", json=body))
    await started(reranker)
    running.cancel()
    while not await wires.metric("requests_total", wire="http", outcome="cancelled"):
        pass
    reranker.gate.set()
    await wires.http.post("/v1/rerank", json={"query": "a", "documents": ["x"]})
    assert reranker.scored == [3, 1]


async def test_a_time_limit_in_a_header_is_the_deadline(gated):
    wires, _ = gated
    body = {"query": "a", "documents": ["a b c", "d e f"]}
    late = await wires.http.post("/v1/rerank", json=body, headers={"x-timeout-ms": "100"})
    assert late.status_code == 504
    wrong = await wires.http.post("/v1/rerank", json=body, headers={"x-timeout-ms": "soon"})
    assert (wrong.status_code, wrong.json()["message"].split(":")[0]) == (400, "x-timeout-ms")


async def test_best_effort_returns_what_is_ready(gated):
    wires, _ = gated
    body = {"query": "a", "documents": ["a b c", "d e f"], "best_effort": True}
    answer = (await wires.http.post("/v1/rerank", json=body, headers={"x-timeout-ms": "200"})).json()
    assert (answer["results"], answer["complete"]) == ([], False)
    assert await wires.metric("requests_total", wire="http", method="Rerank", outcome="partial") == 1


async def test_draining_turns_unready_and_finishes_running_requests(gated):
    wires, reranker = gated
    assert (await wires.http.get("/readyz")).status_code == 200
    running = asyncio.create_task(wires.http.post("/v1/rerank", json={"query": "a", "documents": ["a", "b"]}))
    await started(reranker)
    stopping = asyncio.create_task(wires.grpc_server.stop(60))
    while (await wires.http.get("/readyz")).status_code != 503:
        pass
    assert (await wires.http.get("/healthz")).status_code == 200
    refused = await wires.http.post("/v1/rerank", json={"query": "a", "documents": ["a"]})
    assert (refused.status_code, "shutting down" in refused.json()["message"]) == (503, True)
    reranker.gate.set()
    assert sorted(result["index"] for result in (await running).json()["results"]) == [0, 1]
    assert await stopping


async def test_readiness_is_the_one_of_every_wire(wires):
    await wires.readiness.block("the worker is stuck")
    response = await wires.http.get("/readyz")
    assert (response.status_code, response.json()["reasons"]) == (503, ["the worker is stuck"])
    await wires.readiness.clear("the worker is stuck")
    assert (await wires.http.get("/readyz")).status_code == 200


async def test_keys_guard_everything_but_health_and_the_docs_page(tiny, tmp_path, capsys):
    file = tmp_path / "keys"
    file.write_text(KEY)
    async with serving_both(tiny, keys=KeyRing(file)) as wires:
        for header in ({}, {"authorization": "Bearer wrong"}, {"authorization": KEY}):
            response = await wires.http.post("/v1/embeddings", json={"input": "a"}, headers=header)
            assert (response.status_code, response.json()["error"]["type"]) == (401, "authentication_error")
            assert (await wires.http.get("/metrics", headers=header)).status_code == 401
        good = {"authorization": f"Bearer {KEY}"}
        assert (await wires.http.post("/v1/embeddings", json={"input": "a"}, headers=good)).status_code == 200
        assert (await wires.http.get("/metrics", headers=good)).status_code == 200
        for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
            assert (await wires.http.get(path)).status_code == 200
    assert KEY not in capsys.readouterr().err


async def test_the_docs_page_names_every_path_and_loads_no_resources(wires):
    page = (await wires.http.get("/docs")).text
    for path in ("/v1/rerank", "/v2/rerank", "/rerank", "/v1/embeddings", "/healthz", "/readyz", "/metrics"):
        assert f" {path}</code>" in page
    assert "rank_fields" in page
    assert "http" not in page.replace("http-equiv", "").replace("HTTP", "")
    assert "<script" not in page


async def test_garbage_on_the_port_does_not_stop_the_next_call(wires):
    host, port = wires.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"\x16\x03\x01\x00 garbage\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400")
    writer.close()
    assert (await wires.http.post("/v1/rerank", json=RERANK)).status_code == 200


async def test_answers_leave_without_waiting_for_an_acknowledgement(wires):
    await wires.http.get("/healthz")
    (connection,) = wires.http_server._server.server_state.connections
    accepted = connection.transport.get_extra_info("socket")
    assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_port_that_is_taken_is_an_error(wires):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port} for HTTP"):
            await HttpServer(wires.calls, host="127.0.0.1", port=port, max_body_bytes=1).start()


async def test_after_the_stop_nothing_answers(tiny):
    async with serving_both(tiny) as wires:
        url = wires.url
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(f"{url}/healthz")
