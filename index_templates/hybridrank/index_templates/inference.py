"""Inference endpoints with which Elasticsearch calls a sidecar over HTTP.

Bodies for `PUT _inference/TASK/NAME`. Elasticsearch replaces `${…}`: with JSON in the request, with text in the
headers. https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-inference-put-custom
"""

import json
import re
from typing import Any

from hybridrank.common.versions import major_minor
from hybridrank.index_templates.ml_commons import API_KEY, EMBEDDINGS_PATH, RERANK_PATH, HttpSidecar

__all__ = ["ENCODER", "RERANKER", "cohere_reranker", "custom_encoder", "custom_reranker", "endpoints", "has_custom"]

RERANKER = "hybridrank-reranker"
ENCODER = "hybridrank-encoder"

# Writing documents can wait longer than a search, and both use the same endpoint.
_ENCODE_TIMEOUT_S = 30


def endpoints(sidecar: HttpSidecar, version: str) -> dict[str, dict[str, Any]]:
    """Returns TASK/NAME → body for this server version: both by the service `custom`, or the reranker by `cohere`."""
    if not has_custom(version):
        return {f"rerank/{RERANKER}": cohere_reranker(sidecar)}
    return {f"rerank/{RERANKER}": custom_reranker(sidecar), f"text_embedding/{ENCODER}": custom_encoder(sidecar)}


def has_custom(version: str) -> bool:
    """Returns True if the server has the service `custom`: 8.19, and 9.1 and later.

    >>> has_custom("8.19.3"), has_custom("9.0.8"), has_custom("9.1.0")
    (True, False, True)
    """
    return (8, 19) <= major_minor(version) < (9, 0) or major_minor(version) >= (9, 1)


def custom_reranker(sidecar: HttpSidecar) -> dict[str, Any]:
    """Sends no top_n: every document gets a score, and Elasticsearch maps each to its document by `index`."""
    request = {"model": sidecar.reranker, "query": "${query}", "documents": "${input}"}
    parser = {"reranked_index": "$.results[*].index", "relevance_score": "$.results[*].relevance_score"}
    return _custom(sidecar, RERANK_PATH, request, parser, sidecar.timeout_s)


def custom_encoder(sidecar: HttpSidecar) -> dict[str, Any]:
    """Separates queries from documents, because some encoders read them differently."""
    request = {"model": sidecar.encoder, "input": "${input}", "input_type": "${input_type}"}
    body = _custom(sidecar, EMBEDDINGS_PATH, request, {"text_embeddings": "$.data[*].embedding[*]"}, _ENCODE_TIMEOUT_S)
    body["service_settings"] |= {
        "similarity": "cosine",
        "input_type": {"translation": {"ingest": "document", "search": "query"}, "default": "document"},
    }
    return body


def cohere_reranker(sidecar: HttpSidecar) -> dict[str, Any]:
    """For servers without `custom`, 8.14 and later. Old ones use the whole `url`; new ones replace its path.

    The sidecar serves both paths, /v1/rerank and /v2/rerank. That `cohere` accepts a `url` is in Elasticsearch's code,
    not on its documentation page.
    """
    settings = {"api_key": API_KEY, "model_id": sidecar.reranker, "url": f"{sidecar.url}{RERANK_PATH}"}
    return {"service": "cohere", "service_settings": settings}


def _custom(
    sidecar: HttpSidecar, path: str, request: dict[str, str], parser: dict[str, str], timeout_s: int
) -> dict[str, Any]:
    return {
        "service": "custom",
        "service_settings": {
            "secret_parameters": {"api_key": API_KEY},
            "url": f"{sidecar.url}{path}",
            "headers": {
                "Authorization": "Bearer ${api_key}",
                "Content-Type": "application/json",
                # The sidecar drops, or refuses at once, an answer that would come too late.
                "x-timeout-ms": str(1000 * timeout_s),
            },
            "request": _with_templates(request),
            "response": {"json_parser": parser},
        },
        # Elasticsearch returns these settings but never secrets: the digest shows that a key has changed.
        "task_settings": {"parameters": {"key_digest": sidecar.key_digest or "none"}},
    }


def _with_templates(request: dict[str, str]) -> str:
    """Returns JSON with unquoted templates, because their values bring their own quotes.

    >>> _with_templates({"model": "m", "query": "${query}"})
    '{"model": "m", "query": ${query}}'
    """
    return re.sub(r'"(\$\{\w+\})"', r"\1", json.dumps(request))
