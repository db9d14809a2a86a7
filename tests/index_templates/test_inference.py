"""Inference endpoints against the shapes that Elasticsearch documents, and the sidecar asked as Elasticsearch would.

Elasticsearch's part is written after the page of `PUT _inference/{task_type}/{custom_inference_id}`: templates are
replaced by JSON in the request and by text in headers, and paths of the answer name a list and a field of its items.
"""

import json
import re

import httpx
import pytest

from hybridrank.index_templates.inference import cohere_reranker, custom_encoder, custom_reranker, endpoints
from hybridrank.index_templates.ml_commons import HttpSidecar
from tests.live.http_sidecar import http_sidecar

SIDECAR = HttpSidecar("http://sidecar:8080", key_digest="0123abcd")
QUERY = 'which animal "barks" \\ at\nnight? ${input}'
DOCUMENTS = ["Interest rates rose again.", 'A dog "barks" when someone is at the door.', "Cats purr."]


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory):
    """A real one, in a process of its own."""
    with http_sidecar(tmp_path_factory.mktemp("sidecar")) as sidecar:
        yield HttpSidecar(sidecar.url, timeout_s=60)  # a busy machine is slow


def ask(body, **values):
    """Returns what Elasticsearch sends for an endpoint of service `custom`, and what it reads from the answer."""
    settings = body["service_settings"]
    secrets = {"api_key": "k"}
    headers = {name: replaced(value, secrets) for name, value in settings["headers"].items()}
    request = replaced(settings["request"], {name: json.dumps(value) for name, value in values.items()})
    answer = httpx.post(settings["url"], content=request.encode(), headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    parser = settings["response"]["json_parser"]
    return {name: extracted(answer.json(), path) for name, path in parser.items()}


def replaced(text, values):
    """Each template by its value, once: a value that looks like a template stays; one without a value is an error."""
    return re.sub(r"\$\{(\w+)\}", lambda found: values[found.group(1)], text)


def extracted(answer, path):
    """`$.a[*].b`, or `$.a[*].b[*]` for a list in each."""
    items, field = re.fullmatch(r"\$\.(\w+)\[\*\]\.(\w+)(?:\[\*\])?", path).groups()
    return [each[field] for each in answer[items]]


def test_the_bodies_are_those_of_the_documentation():
    assert custom_reranker(SIDECAR) == {
        "service": "custom",
        "service_settings": {
            "secret_parameters": {"api_key": "<API key>"},
            "url": "http://sidecar:8080/v1/rerank",
            "headers": {
                "Authorization": "Bearer ${api_key}",
                "Content-Type": "application/json",
                "x-timeout-ms": "5000",
            },
            "request": '{"model": "cross-encoder", "query": ${query}, "documents": ${input}}',
            "response": {
                "json_parser": {
                    "reranked_index": "$.results[*].index",
                    "relevance_score": "$.results[*].relevance_score",
                }
            },
        },
        "task_settings": {"parameters": {"key_digest": "0123abcd"}},
    }
    encoder = custom_encoder(SIDECAR)["service_settings"]
    assert encoder["url"] == "http://sidecar:8080/v1/embeddings"
    assert encoder["request"] == '{"model": "encoder", "input": ${input}, "input_type": ${input_type}}'
    assert encoder["response"] == {"json_parser": {"text_embeddings": "$.data[*].embedding[*]"}}
    translation = {"ingest": "document", "search": "query"}
    assert encoder["input_type"] == {"translation": translation, "default": "document"}
    assert encoder["similarity"] == "cosine"


def test_a_model_of_any_name_is_json():
    body = custom_reranker(HttpSidecar("http://s", reranker='a "model"'))
    request = replaced(body["service_settings"]["request"], {"query": '"q"', "input": "[]"})
    assert json.loads(request) == {"model": 'a "model"', "query": "q", "documents": []}


@pytest.mark.parametrize(
    ("version", "services"),
    [
        ("8.14.0", {"rerank/hybridrank-reranker": "cohere"}),
        ("9.0.8", {"rerank/hybridrank-reranker": "cohere"}),
        ("8.19.1", {"rerank/hybridrank-reranker": "custom", "text_embedding/hybridrank-encoder": "custom"}),
        ("9.5.3", {"rerank/hybridrank-reranker": "custom", "text_embedding/hybridrank-encoder": "custom"}),
    ],
)
def test_the_service_is_chosen_by_the_version(version, services):
    assert {name: body["service"] for name, body in endpoints(SIDECAR, version).items()} == services


def test_a_sidecar_reranks_as_elasticsearch_asks(sidecar):
    parsed = ask(custom_reranker(sidecar), query=QUERY, input=DOCUMENTS)
    by_index = dict(zip(parsed["reranked_index"], parsed["relevance_score"], strict=True))
    assert sorted(by_index) == [0, 1, 2]
    assert max(by_index, key=by_index.get) == 1
    direct = {"model": "cross-encoder", "query": QUERY, "documents": DOCUMENTS}
    results = httpx.post(f"{sidecar.url}/v2/rerank", json=direct, timeout=60).json()["results"]
    assert by_index == {each["index"]: each["relevance_score"] for each in results}


def test_a_sidecar_embeds_as_elasticsearch_asks(sidecar):
    (document, query) = (
        ask(custom_encoder(sidecar), input=DOCUMENTS, input_type=kind)["text_embeddings"]
        for kind in ("document", "query")
    )
    assert [len(vector) for vector in document] == [len(query[0])] * 3
    assert all(isinstance(value, float) for value in document[0])
    default = custom_encoder(sidecar)["service_settings"]["input_type"]["default"]
    assert ask(custom_encoder(sidecar), input=DOCUMENTS, input_type=default)["text_embeddings"] == document


@pytest.mark.parametrize("new", [False, True])
def test_a_sidecar_reranks_as_elasticsearchs_cohere_asks(sidecar, new):
    """Old versions use the URL whole, new ones put their own path in it; both ask for what `top_n` is left."""
    settings = cohere_reranker(sidecar)["service_settings"]
    url = str(httpx.URL(settings["url"]).copy_with(path="/v2/rerank")) if new else settings["url"]
    body = {
        "model": settings["model_id"],
        "query": QUERY,
        "documents": DOCUMENTS,
        "return_documents": False,
        "top_n": 3,
    }
    answer = httpx.post(url, json=body, headers={"Authorization": "bearer k", "Request-Source": "unspecified:x"})
    assert [sorted(each) for each in answer.json()["results"]] == [["index", "relevance_score"]] * 3
    assert answer.json()["results"][0]["index"] == 1
