"""Vectors over HTTP in the shapes of Cohere and text-embeddings-inference."""

import pytest

from hybridrank.sidecar.transport.http.embed_answers import CohereEmbedAnswer
from tests.sidecar.http_serving import serving_both

TEXTS = ["A dog barks.", "Cats purr."]


@pytest.fixture
async def http(shipped):
    async with serving_both(shipped) as wires:
        yield wires.http


async def openai_vectors(http, **fields):
    body = {"model": "encoder", "input": TEXTS} | fields
    return [each["embedding"] for each in (await http.post("/v1/embeddings", json=body)).json()["data"]]


async def test_every_api_gives_the_same_vectors(http):
    for kind in ("query", "document"):
        expected = await openai_vectors(http, input_type=kind)
        cohere = await http.post("/v2/embed", json={"texts": TEXTS, "input_type": f"search_{kind}"})
        assert CohereEmbedAnswer.model_validate(cohere.json()).embeddings == {"float": expected}
        tei = await http.post("/embed", json={"inputs": TEXTS, "prompt_name": kind})
        assert tei.json() == expected
    assert (await http.post("/embed", json={"inputs": TEXTS[0]})).json() == [expected[0]]


async def test_fields_of_jina_and_voyage_mean_what_they_do_there(http):
    expected = await openai_vectors(http, input_type="query")
    assert await openai_vectors(http, task="retrieval.query", normalized=True, embedding_type="float") == expected
    assert await openai_vectors(http, input_type="query", output_dimension=384, output_dtype="float") == expected
    packed = await openai_vectors(http, embedding_type="base64")
    assert all(isinstance(each, str) for each in packed)


@pytest.mark.parametrize(
    ("path", "fields", "named"),
    [
        ("/v2/embed", {"texts": TEXTS, "embedding_types": ["int8"]}, "embedding_types[0]"),
        ("/v2/embed", {"texts": TEXTS, "input_type": "image"}, "input_type"),
        ("/v2/embed", {"texts": TEXTS, "output_dimension": 256}, "output_dimension"),
        ("/v2/embed", {"texts": TEXTS, "max_tokens": 5}, "max_tokens"),
        ("/v2/embed", {"texts": TEXTS, "truncate": "START"}, "truncate"),
        ("/v2/embed", {"texts": ["a", "word " * 5000], "truncate": "NONE"}, "texts[1]"),
        ("/v1/embed", {"texts": TEXTS, "model": "cross-encoder"}, "model"),
        ("/embed", {"inputs": TEXTS, "normalize": False}, "normalize"),
        ("/embed", {"inputs": TEXTS, "prompt_name": "code"}, "prompt_name"),
        ("/embed", {"inputs": TEXTS, "dimensions": 8}, "dimensions"),
        ("/embed", {"inputs": ["word " * 5000], "truncate": False}, "inputs[0]"),
        ("/v1/embeddings", {"input": TEXTS, "late_chunking": True}, "late_chunking"),
        ("/v1/embeddings", {"input": TEXTS, "output_dimension": 8}, "output_dimension"),
    ],
)
async def test_options_that_a_model_cannot_follow_are_named(http, path, fields, named):
    response = await http.post(path, json=fields)
    assert (response.status_code, f"{named}: " in response.text) == (400, True), response.text
