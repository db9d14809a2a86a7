"""Connectors, and models on top of them, with which OpenSearch's ml-commons calls a sidecar over HTTP.

Bodies for `POST _plugins/_ml/connectors/_create` and `POST _plugins/_ml/models/_register`.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

__all__ = [
    "API_KEY",
    "DOCUMENT_ENCODER",
    "EMBEDDINGS_PATH",
    "MODELS",
    "MODEL_GROUP",
    "QUERY_ENCODER",
    "RERANKER",
    "RERANK_PATH",
    "HttpSidecar",
    "connectors",
    "key_digest",
    "remote_model",
]

# Connectors and their models. Queries and documents have separate ones, for encoders that read them differently.
RERANKER = "hybridrank-reranker"
DOCUMENT_ENCODER = "hybridrank-document-encoder"
QUERY_ENCODER = "hybridrank-query-encoder"
MODEL_GROUP = "hybridrank"
MODELS = (RERANKER, DOCUMENT_ENCODER, QUERY_ENCODER)

RERANK_PATH = "/v1/rerank"
EMBEDDINGS_PATH = "/v1/embeddings"

API_KEY = "<API key>"
"""Placeholder for the key in bodies, which are printed; the real key is inserted when they are sent."""

# A bulk request can wait longer than a search, and can be retried; ml-commons retries only if the answer has Amazon's
# throttling header, which a sidecar with a full queue sends.
_CONNECT_TIMEOUT_S = 1
_INGEST_TIMEOUT_S = 30
_INGEST_RETRIES = 3


@dataclass(frozen=True, slots=True)
class HttpSidecar:
    """The HTTP interface of a sidecar, as the cluster's nodes reach it.

    `url` has no path; `reranker` and `encoder` are models of the sidecar; `timeout_s` limits how long a search waits
    for scores or for its query's vector, in whole seconds because ml-commons supports nothing finer; `key_digest`
    distinguishes API keys and is "" if there is no key.
    """

    url: str
    reranker: str = "cross-encoder"
    encoder: str = "encoder"
    timeout_s: int = 5
    key_digest: str = ""

    @property
    def host(self) -> str:
        """The name or the IP address."""
        return urlsplit(self.url).hostname or ""


def key_digest(api_key: str) -> str:
    """Returns eight hex digits: enough to notice a changed key, too few to recover it. "" for no key."""
    return blake2b(api_key.encode(), digest_size=4).hexdigest() if api_key else ""


def connectors(sidecar: HttpSidecar) -> dict[str, dict[str, Any]]:
    """Returns the connectors by name."""
    return {
        RERANKER: _connector(
            sidecar,
            RERANKER,
            path=RERANK_PATH,
            functions="cohere.rerank",
            model=sidecar.reranker,
            # No top_n: every document comes back, and ml-commons orders the scores by `index`.
            inputs='"query": "${parameters.query}", "documents": ${parameters.documents}',
            timeout_s=sidecar.timeout_s,
        ),
        DOCUMENT_ENCODER: _encoder(sidecar, DOCUMENT_ENCODER, "document", _INGEST_TIMEOUT_S, retries=_INGEST_RETRIES),
        QUERY_ENCODER: _encoder(sidecar, QUERY_ENCODER, "query", sidecar.timeout_s),
    }


def remote_model(name: str, *, connector_id: str, group_id: str) -> dict[str, Any]:
    """Returns a model that uses a connector. Without a group, ml-commons would create one and leave it behind."""
    return {
        "name": name,
        "function_name": "remote",
        "description": "hybridrank",
        "connector_id": connector_id,
        "model_group_id": group_id,
    }


def _encoder(sidecar: HttpSidecar, name: str, kind: str, timeout_s: int, retries: int = 0) -> dict[str, Any]:
    return _connector(
        sidecar,
        name,
        path=EMBEDDINGS_PATH,
        functions="openai.embedding",
        model=sidecar.encoder,
        inputs=f'"input_type": "{kind}", "input": ${{parameters.input}}',
        timeout_s=timeout_s,
        retries=retries,
    )


def _connector(
    sidecar: HttpSidecar,
    name: str,
    *,
    path: str,
    functions: str,
    model: str,
    inputs: str,
    timeout_s: int,
    retries: int = 0,
) -> dict[str, Any]:
    key = f"with the key {sidecar.key_digest}" if sidecar.key_digest else "without a key"
    return {
        "name": name,
        "description": f"hybridrank: the sidecar at {sidecar.url}, {key}",
        "version": "1",
        "protocol": "http",
        "credential": {"key": API_KEY},  # ml-commons refuses a connector without a credential
        "parameters": {"model": model},
        "client_config": {
            "max_connection": 30,
            "connection_timeout": _CONNECT_TIMEOUT_S,
            "read_timeout": timeout_s,
            "max_retry_times": retries,
            "retry_backoff_policy": "exponential_full_jitter",
        },
        "actions": [
            {
                "action_type": "PREDICT",
                "method": "POST",
                "url": f"{sidecar.url}{path}",
                # The sidecar drops, or refuses at once, an answer that would come after ml-commons has given up.
                "headers": {"Authorization": "Bearer ${credential.key}", "x-timeout-ms": str(1000 * timeout_s)},
                "request_body": f'{{"model": "${{parameters.model}}", {inputs}}}',
                "pre_process_function": f"connector.pre_process.{functions}",
                "post_process_function": f"connector.post_process.{functions}",
            }
        ],
    }
