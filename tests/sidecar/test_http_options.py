"""Options of each API for long texts: followed, or refused with the field and the reason."""

import httpx
import pytest

from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.transport.http.answers import RerankAnswer, VoyageAnswer
from hybridrank.sidecar.transport.http.embed_answers import EmbeddingsAnswer
from tests.sidecar.doubles import BrokenModel, loaded
from tests.sidecar.http_serving import serving_both

QUERY = "which animal barks"
ANSWER = "A dog barks when someone is at the door. "
LONG = "Interest rates rose again. " * 200 + ANSWER * 20  # the answer lies beyond what a model reads
BODY = {"model": "cross-encoder", "query": QUERY, "documents": [ANSWER, LONG], "raw_scores": True}
PATHS = ["/v1/rerank", "/v2/rerank"]


@pytest.fixture
async def http(shipped):
    async with serving_both(shipped, score_cache_bytes=1_000_000) as wires:
        yield wires.http


async def reranked(http: httpx.AsyncClient, path: str, **fields) -> dict[int, tuple[float, dict]]:
    """By document: its score, and what else was said of it."""
    response = await http.post(path, json=BODY | fields)
    assert response.status_code == 200, response.text
    answer = response.json()
    scores = {each["index"]: each["relevance_score"] for each in answer["results"]}
    assert [each["index"] for each in answer["details"]] == [each["index"] for each in answer["results"]]
    return {(index := each.pop("index")): (scores[index], each) for each in answer["details"]}


@pytest.mark.parametrize("path", PATHS)
async def test_a_long_document_is_cut_or_scored_by_its_windows(http, path):
    cut = await reranked(http, path, max_chunks_per_doc=1)
    assert [cut[index][1] for index in (0, 1)] == [
        {"truncated": False, "scored_chunks": 1},
        {"truncated": True, "scored_chunks": 1},
    ]
    by_default = await reranked(http, path)
    assert by_default == await reranked(http, path, max_chunks_per_doc=4)
    assert by_default[1][1]["scored_chunks"] == 4
    whole = await reranked(http, path, max_chunks_per_doc=10)
    assert whole[0] == (cut[0][0], {"truncated": False, "best_chunk": 0, "scored_chunks": 1})
    assert whole[1][0] > cut[1][0]
    assert whole[1][1]["truncated"] is False
    assert whole[1][1]["best_chunk"] >= 1
    mean = await reranked(http, path, max_chunks_per_doc=10, chunk_score="mean")
    assert cut[1][0] < mean[1][0] < whole[1][0]
    first = await reranked(http, path, max_chunks_per_doc=10, chunk_score="first")
    assert first == cut


@pytest.mark.parametrize("model", ["cross-encoder", "colbert"])
async def test_voyage_without_truncation_names_the_text_too_long(http, model):
    body = BODY | {"model": model, "truncation": False}
    for _ in range(2):  # what the first left in the cache changes nothing
        refused = await http.post("/v1/rerank", json=body)
        assert (refused.status_code, refused.json()["detail"].split(":")[0]) == (400, "documents[1]")
        assert (await http.post("/v1/rerank", json=body | {"truncation": True})).status_code == 200
    short = VoyageAnswer.model_validate((await http.post("/v1/rerank", json=body | {"documents": [ANSWER]})).json())
    assert [detail.truncated for detail in short.details] == [False]
    in_windows = await http.post("/v1/rerank", json=body | {"max_chunks_per_doc": 10})
    assert in_windows.status_code == 200
    query = await http.post("/v1/rerank", json=body | {"query": LONG, "documents": [ANSWER]})
    assert (query.status_code, query.json()["message"].split(":")[0]) == (400, "query")


async def test_tei_without_truncation_names_the_text_too_long(http):
    body = {"query": QUERY, "texts": [ANSWER, ANSWER, LONG]}
    for fields in ({}, {"truncate": True}, {"truncate": None}, {"truncation_direction": "Right"}):
        assert (await http.post("/rerank", json=body | fields)).status_code == 200
    refused = await http.post("/rerank", json=body | {"truncate": False})
    assert (refused.status_code, refused.json()["error_type"]) == (400, "Validation")
    assert refused.json()["error"].startswith("texts[2]: is longer than the model reads")
    left = await http.post("/rerank", json=body | {"truncation_direction": "left"})
    assert (left.status_code, left.json()["error"].split(":")[0]) == (400, "truncation_direction")


async def test_texts_to_encode_are_cut_and_said_to_be_or_refused(http):
    body = {"input": [ANSWER, LONG]}
    answer = EmbeddingsAnswer.model_validate((await http.post("/v1/embeddings", json=body)).json())
    assert [(detail.index, detail.truncated) for detail in answer.details] == [(0, False), (1, True)]
    for name in ("truncate", "truncation"):  # Jina's and Voyage's
        refused = await http.post("/v1/embeddings", json=body | {name: False})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input[1]")
        assert (await http.post("/v1/embeddings", json={"input": ANSWER, name: False})).status_code == 200


async def test_apis_that_cut_long_documents_still_cut_them(http):
    """Voyage and text-embeddings-inference have no windows; with max_chunks_per_doc Voyage's shape has."""
    voyage = (await http.post("/v1/rerank", json=BODY | {"top_k": 2})).json()
    assert {each["index"]: each["scored_chunks"] for each in voyage["details"]} == {0: 1, 1: 1}
    voyage = (await http.post("/v1/rerank", json=BODY | {"top_k": 2, "max_chunks_per_doc": 3})).json()
    assert {each["index"]: each["scored_chunks"] for each in voyage["details"]} == {0: 1, 1: 3}
    body = {"query": QUERY, "texts": [ANSWER, LONG], "raw_scores": True}
    tei = {each["index"]: each["score"] for each in (await http.post("/rerank", json=body)).json()}
    cut = await reranked(http, "/v1/rerank", max_chunks_per_doc=1)
    assert tei == {index: score for index, (score, _) in cut.items()}


async def test_fewer_tokens_than_are_read_cannot_be_asked_for(http):
    """Cohere's version 2 cuts documents there: as many windows are read as the limit holds, and one at least."""
    assert (await reranked(http, "/v2/rerank", max_tokens_per_doc=4096)) == await reranked(http, "/v2/rerank")
    two = await reranked(http, "/v2/rerank", max_tokens_per_doc=479)
    assert two == await reranked(http, "/v2/rerank", max_chunks_per_doc=2)
    for fields in ({"max_tokens_per_doc": 159}, {"max_tokens_per_doc": 1000, "max_chunks_per_doc": 9}):
        refused = await http.post("/v2/rerank", json=BODY | fields)
        assert refused.status_code == 400
        assert refused.json()["message"].startswith("max_tokens_per_doc: ")


@pytest.mark.parametrize(
    "fields",
    [
        {"max_chunks_per_doc": 0},
        {"max_chunks_per_doc": 101},
        {"max_tokens_per_doc": 0},
        {"chunk_score": "sum"},
        {"truncation": "END"},
    ],
)
async def test_a_value_that_means_nothing_here_is_refused(http, fields):
    refused = await http.post("/v1/rerank", json=BODY | fields)
    assert (refused.status_code, refused.json()["message"].split(":")[0]) == (400, *fields)


async def test_results_have_no_field_that_elasticsearch_would_refuse(http):
    """Its parsers of Cohere's, Jina's and Voyage's answers fail on any other field of a result."""
    answer = (await http.post("/v1/rerank", json=BODY | {"max_chunks_per_doc": 9, "return_documents": True})).json()
    assert [set(result) for result in answer["results"]] == [{"index", "relevance_score", "document"}] * 2
    assert RerankAnswer.model_validate(answer)


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/v1/rerank", {"query": QUERY, "documents": ["two words", "one"]}, "documents[1]"),
        ("/rerank", {"query": QUERY, "texts": ["two words", "one"]}, "texts[1]"),
        ("/v1/embeddings", {"input": ["two words", "one"]}, "input[0]"),
    ],
)
async def test_a_text_without_a_finite_score_is_named_by_its_api_field(path, body, named):
    async with serving_both(Models([loaded(BrokenModel())])) as wires:
        response = await wires.http.post(path, json=body)
    assert response.status_code == 500
    assert f"not finite for {named}" in response.text
    assert "candidates" not in response.text


async def test_an_empty_query_to_encode_is_named_by_its_api_field(http):
    response = await http.post("/v1/embeddings", json={"input": ["a", " "], "input_type": "query"})
    assert (response.status_code, response.json()["error"]["param"]) == (400, "input[1]")
