"""The clients that people have: Cohere's and OpenAI's own libraries, pointed at the sidecar."""

import asyncio
from base64 import b64decode

import cohere
import httpx
import numpy as np
import openai
import pytest

from tests.sidecar.http_serving import serving_both

QUERY = "which animal barks"
DOCUMENTS = ["Interest rates rose again.", "A dog barks when someone is at the door.", "Cats purr."]


@pytest.fixture
async def wires(shipped):
    async with serving_both(shipped) as wires:
        yield wires


@pytest.fixture
def transport():
    """Cohere's client closes no connection by itself."""
    with httpx.Client(timeout=60) as transport:
        yield transport


async def call(function, *args, **kwargs):
    """Both libraries block; the server runs in this loop."""
    return await asyncio.to_thread(function, *args, **kwargs)


async def test_cohere_version_1(wires, transport):
    client = cohere.Client("unused", base_url=wires.url, httpx_client=transport)
    documents = [{"text": DOCUMENTS[0]}, {"text": DOCUMENTS[1]}, DOCUMENTS[2]]
    answer = await call(
        client.rerank, model="cross-encoder", query=QUERY, documents=documents, top_n=2, return_documents=True
    )
    assert answer.results[0].index == 1
    assert len(answer.results) == 2
    assert answer.results[0].document.text == DOCUMENTS[1]
    assert 0 < answer.results[1].relevance_score < answer.results[0].relevance_score < 1
    assert answer.meta.billed_units.search_units == 1


async def test_cohere_version_2(wires, transport):
    client = cohere.ClientV2("unused", base_url=wires.url, httpx_client=transport)
    answer = await call(client.rerank, model="cross-encoder", query=QUERY, documents=DOCUMENTS, max_tokens_per_doc=512)
    assert answer.results[0].index == 1
    assert len(answer.results) == 3


async def test_cohere_scores_a_long_document_by_its_windows(wires, transport):
    client = cohere.Client("unused", base_url=wires.url, httpx_client=transport)
    ask = {"model": "cross-encoder", "query": QUERY, "documents": [DOCUMENTS[0] * 200 + DOCUMENTS[1] * 20]}
    chunks = (1, 20)
    (cut,), (whole,) = [(await call(client.rerank, **ask, max_chunks_per_doc=most)).results for most in chunks]
    assert whole.relevance_score > cut.relevance_score


async def test_cohere_embeds_by_either_version(wires, transport):
    ask = {"model": "encoder", "texts": DOCUMENTS, "input_type": "search_document"}
    plain = await call(cohere.Client("unused", base_url=wires.url, httpx_client=transport).embed, **ask)
    client = cohere.ClientV2("unused", base_url=wires.url, httpx_client=transport)
    typed = await call(client.embed, **ask, embedding_types=["float", "base64"])
    assert plain.embeddings == typed.embeddings.float_
    assert np.frombuffer(b64decode(typed.embeddings.base64[0]), "<f4") == pytest.approx(plain.embeddings[0], abs=1e-7)
    assert typed.texts == DOCUMENTS
    assert typed.meta.billed_units.input_tokens > 3
    with pytest.raises(cohere.BadRequestError, match="embedding_types"):
        await call(client.embed, **ask, embedding_types=["int8"])


async def test_openai_lists_the_models_and_finds_one(wires):
    with openai.OpenAI(api_key="unused", base_url=f"{wires.url}/v1", max_retries=0) as client:
        listed = await call(client.models.list)
        found = await call(client.models.retrieve, "encoder")
        with pytest.raises(openai.NotFoundError, match="gpt-5"):
            await call(client.models.retrieve, "gpt-5")
    assert {"encoder", "cross-encoder", "encoder-minilm-l6"} <= {each.id for each in listed.data}
    assert (found.id, found.root.split(":")[0]) == ("encoder", "encoder-minilm-l6")


async def test_cohere_errors_are_those_the_library_knows(wires, transport):
    client = cohere.ClientV2("unused", base_url=wires.url, httpx_client=transport)
    with pytest.raises(cohere.NotFoundError) as missing:
        await call(client.rerank, model="rerank-v3.5", query=QUERY, documents=DOCUMENTS)
    assert "cross-encoder-minilm-l6" in missing.value.body["message"]
    with pytest.raises(cohere.BadRequestError) as wrong:
        await call(client.rerank, model="cross-encoder", query=" ", documents=DOCUMENTS)
    assert wrong.value.body["message"].startswith("query: ")


async def test_openai_embeddings_as_base64_and_as_numbers(wires):
    with openai.OpenAI(api_key="unused", base_url=f"{wires.url}/v1", max_retries=0) as client:
        packed = await call(client.embeddings.create, model="encoder", input=DOCUMENTS)
        plain = await call(client.embeddings.create, model="encoder", input=DOCUMENTS[0], encoding_format="float")
    assert [one.index for one in packed.data] == [0, 1, 2]
    np.testing.assert_allclose(packed.data[0].embedding, plain.data[0].embedding, rtol=1e-6)
    assert packed.usage.total_tokens > plain.usage.total_tokens > 0


async def test_a_misspelt_field_is_refused_as_the_libraries_know(wires, transport):
    client = cohere.ClientV2("unused", base_url=wires.url, httpx_client=transport)
    misspelt = {"additional_body_parameters": {"topn": 1}}
    with pytest.raises(cohere.UnprocessableEntityError) as refused:
        await call(client.rerank, model="cross-encoder", query=QUERY, documents=DOCUMENTS, request_options=misspelt)
    assert refused.value.body["message"] == "topn: is not a field of this API; did you mean top_n?"
    with openai.OpenAI(api_key="unused", base_url=f"{wires.url}/v1", max_retries=0) as client:
        with pytest.raises(openai.BadRequestError) as wrong:
            await call(client.embeddings.create, model="encoder", input="a", extra_body={"dimension": 384})
        assert wrong.value.param == "dimension"


async def test_openai_errors_are_those_the_library_knows(wires):
    with openai.OpenAI(api_key="unused", base_url=f"{wires.url}/v1", max_retries=0) as client:
        with pytest.raises(openai.NotFoundError) as missing:
            await call(client.embeddings.create, model="text-embedding-3-small", input="a")
        assert missing.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as wrong:
            await call(client.embeddings.create, model="encoder", input="a", dimensions=7)
        assert wrong.value.param == "dimensions"
