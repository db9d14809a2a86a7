"""Fields of every HTTP API: null is absent, unknown ones are refused where the original refuses them."""

import json

import pytest
from pydantic import BaseModel

from hybridrank.sidecar.models import loading
from hybridrank.sidecar.models.catalog import Models
from hybridrank.sidecar.transport.http.bodies import RerankBody, TeiBody
from hybridrank.sidecar.transport.http.embed_bodies import CohereEmbedBody, EmbeddingsBody, TeiEmbedBody, TeiSparseBody
from hybridrank.sidecar.transport.http.endpoints import ENDPOINTS
from tests.golden.splade import TINY as TINY_SPLADE
from tests.sidecar.http_serving import serving_both

LEAST = {
    RerankBody: {"query": "which animal barks", "documents": ["A dog barks.", {"text": "Cats purr."}]},
    TeiBody: {"query": "which animal barks", "texts": ["A dog barks.", "Cats purr."]},
    EmbeddingsBody: {"input": ["A dog barks."]},
    CohereEmbedBody: {"texts": ["A dog barks."]},
    TeiEmbedBody: {"inputs": "A dog barks."},
    TeiSparseBody: {"inputs": "A dog barks."},
}
IGNORING = {"/rerank", "/embed", "/embed_sparse"}  # text-embeddings-inference reads what it knows


@pytest.fixture
async def http(tiny):
    async with serving_both(Models([*tiny, *loading.load([TINY_SPLADE])])) as wires:
        yield wires.http


def optional(body: type[BaseModel]) -> list[str]:
    return [name for name, field in body.model_fields.items() if not field.is_required()]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.path)
async def test_null_is_absent_in_every_optional_field(http, endpoint):
    least = LEAST[endpoint.body]
    plain = await http.post(endpoint.path, json=least, headers={"x-request-id": "same"})
    assert plain.status_code == 200, plain.text
    nulls = dict.fromkeys(optional(endpoint.body))
    assert len(nulls) >= 4
    for fields in (nulls, *({name: None} for name in nulls)):
        response = await http.post(endpoint.path, json=least | fields, headers={"x-request-id": "same"})
        assert (response.status_code, response.json()) == (200, plain.json())


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.path)
async def test_null_in_a_required_field_is_named(http, endpoint):
    for name in (name for name, field in endpoint.body.model_fields.items() if field.is_required()):
        response = await http.post(endpoint.path, json=LEAST[endpoint.body] | {name: None})
        assert (response.status_code, f"{name}: " in response.text) == (400, True)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.path)
async def test_an_unknown_field_is_refused_as_the_api_does(http, endpoint):
    response = await http.post(endpoint.path, json=LEAST[endpoint.body] | {"topn": 1, "z" * 200: 2})
    if endpoint.path in IGNORING:
        assert response.status_code == 200
    else:
        assert response.status_code == (400 if endpoint.path == "/v1/embeddings" else 422)
        assert "topn: is not a field of this API" in response.text


async def test_a_long_unknown_name_is_not_repeated_whole(http):
    response = await http.post("/v1/rerank", json=LEAST[RerankBody] | {"z" * 100_000: 1})
    assert response.status_code == 422
    assert len(response.content) < 1000


async def test_documents_are_read_by_their_text_and_never_as_json(http):
    documents = [{"title": "Tea", "body": None}, {"title": "Thé", "tags": ["café", "vert"]}]
    body = {"query": "tea", "documents": documents, "rank_fields": ["title", "body", "tags"], "return_documents": True}
    results = (await http.post("/v1/rerank", json=body)).json()["results"]
    assert {each["index"]: each["document"]["text"] for each in results} == {0: "Tea", 1: "Thé\ncafé vert"}
    refused = await http.post("/v1/rerank", json={"query": "tea", "documents": [{"text": "a"}, {"text": None}]})
    assert (refused.status_code, refused.json()["message"].split(":")[0]) == (400, "documents[1]")


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: each.path)
async def test_half_a_surrogate_pair_in_a_body_is_refused(http, endpoint):
    text = json.dumps(LEAST[endpoint.body]).replace("A dog", "\\ud83d A dog")
    response = await http.post(endpoint.path, content=text, headers={"content-type": "application/json"})
    assert response.status_code == 400, response.text
    assert "hex escape" in response.text


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
async def test_a_number_that_is_not_finite_is_refused(http, number):
    body = f'{{"query": "tea", "documents": ["a", {{"text": ["b", {number}]}}]}}'
    refused = await http.post("/v1/rerank", content=body)
    assert (refused.status_code, refused.json()["message"].split(":")[0]) == (400, "documents[1]")
