"""What Elasticsearch's inference endpoints need to call a sidecar over HTTP.

Bodies for `PUT _inference/TASK/NAME`. `${…}` is what Elasticsearch puts in: JSON in the request, text in the headers.
https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-inference-put-custom
"""

import json
import re
from typing import Any

from hybridrank.index_templates.ml_commons import API_KEY, EMBEDDINGS_PATH, RERANK_PATH, HttpSidecar

__all__ = ["ENCODER", "RERANKER", "cohere_reranker", "custom_encoder", "custom_reranker", "endpoints", "has_custom"]

RERANKER = "hybridrank-reranker"
ENCODER = "hybridrank-encoder"

# Writing documents can wait longer than a search, and both use the same endpoint.
_ENCODE_TIMEOUT_S = 30


def endpoints(sidecar: HttpSidecar, version: str) -> dict[str, dict[str, Any]]:
    """TASK/NAME → body, for a server of this version: both by the service `custom`, or the reranker by `cohere`."""
    if not has_custom(version):
        return {f"rerank/{RERANKER}": cohere_reranker(sidecar)}
    return {f"rerank/{RERANKER}": custom_reranker(sidecar), f"text_embedding/{ENCODER}": custom_encoder(sidecar)}


def has_custom(version: str) -> bool:
    """Whether the service `custom` is there: 8.19, and 9.1 and later.

    >>> has_custom("8.19.3"), has_custom("9.0.8"), has_custom("9.1.0")
    (True, False, True)
    """
    major, minor = map(int, re.findall(r"\d+", version)[:2])
    return (8, 19) <= (major, minor) < (9, 0) or (major, minor) >= (9, 1)


def custom_reranker(sidecar: HttpSidecar) -> dict[str, Any]:
    """No top_n: every document gets a score, and Elasticsearch finds each by its `index`."""
    request = {"model": sidecar.reranker, "query": "${query}", "documents": "${input}"}
    parser = {"reranked_index": "$.results[*].index", "relevance_score": "$.results[*].relevance_score"}
    return _custom(sidecar, RERANK_PATH, request, parser, sidecar.timeout_s)


def custom_encoder(sidecar: HttpSidecar) -> dict[str, Any]:
    """Queries are told from documents, since some encoders read them differently."""
    request = {"model": sidecar.encoder, "input": "${input}", "input_type": "${input_type}"}
    body = _custom(sidecar, EMBEDDINGS_PATH, request, {"text_embeddings": "$.data[*].embedding[*]"}, _ENCODE_TIMEOUT_S)
    body["service_settings"] |= {
        "similarity": "cosine",
        "input_type": {"translation": {"ingest": "document", "search": "query"}, "default": "document"},
    }
    return body


def cohere_reranker(sidecar: HttpSidecar) -> dict[str, Any]:
    """For servers without `custom`, 8.14 and later. Old ones take the `url` whole, new ones put a path of theirs in it.

    The sidecar has both, /v1/rerank and /v2/rerank. That `cohere` takes a `url` is in its code, not on its page.
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
                # The sidecar drops, or refuses at once, what would come too late.
                "x-timeout-ms": str(1000 * timeout_s),
            },
            "request": _with_templates(request),
            "response": {"json_parser": parser},
        },
        # Elasticsearch tells these again and secrets never: by the digest another key is seen to be another.
        "task_settings": {"parameters": {"key_digest": sidecar.key_digest or "none"}},
    }


def _with_templates(request: dict[str, str]) -> str:
    """JSON, but for the templates, which bring quotes of their own.

    >>> _with_templates({"model": "m", "query": "${query}"})
    '{"model": "m", "query": ${query}}'
    """
    return re.sub(r'"(\$\{\w+\})"', r"\1", json.dumps(request))
