"""What OpenSearch's ml-commons needs to call a sidecar over HTTP: connectors, and models that are their other end.

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

# Connectors and the models behind them. Queries and documents have one each, for encoders that read them differently.
RERANKER = "hybridrank-reranker"
DOCUMENT_ENCODER = "hybridrank-document-encoder"
QUERY_ENCODER = "hybridrank-query-encoder"
MODEL_GROUP = "hybridrank"
MODELS = (RERANKER, DOCUMENT_ENCODER, QUERY_ENCODER)

RERANK_PATH = "/v1/rerank"
EMBEDDINGS_PATH = "/v1/embeddings"

API_KEY = "<API key>"
"""Stands for the key in bodies, which are printed; the key itself is put in when they are sent."""

# A bulk request can wait longer than a search, and be tried again; ml-commons does so only where an answer has Amazon's
# header for throttling, as those of a sidecar have whose queue is full.
_CONNECT_TIMEOUT_S = 1
_INGEST_TIMEOUT_S = 30
_INGEST_RETRIES = 3


@dataclass(frozen=True, slots=True)
class HttpSidecar:
    """The HTTP face of a sidecar, as the cluster's nodes reach it.

    `url` has no path; `reranker` and `encoder` are models of the sidecar; `timeout_s` is how long a search waits for
    scores or for its query's vector, in whole seconds, which is all that ml-commons knows; `key_digest` tells one API
    key from the next and is "" where there is none.
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
    """Eight hex digits: enough to see that a key is another one, too few to find it by. "" for no key."""
    return blake2b(api_key.encode(), digest_size=4).hexdigest() if api_key else ""


def connectors(sidecar: HttpSidecar) -> dict[str, dict[str, Any]]:
    """The connectors by name."""
    return {
        RERANKER: _connector(
            sidecar,
            RERANKER,
            path=RERANK_PATH,
            functions="cohere.rerank",
            model=sidecar.reranker,
            # No top_n: every document comes back, and ml-commons puts the scores in order by `index`.
            inputs='"query": "${parameters.query}", "documents": ${parameters.documents}',
            timeout_s=sidecar.timeout_s,
        ),
        DOCUMENT_ENCODER: _encoder(sidecar, DOCUMENT_ENCODER, "document", _INGEST_TIMEOUT_S, retries=_INGEST_RETRIES),
        QUERY_ENCODER: _encoder(sidecar, QUERY_ENCODER, "query", sidecar.timeout_s),
    }


def remote_model(name: str, *, connector_id: str, group_id: str) -> dict[str, Any]:
    """A model that is a connector's other end. Without a group one would be made for it, and left behind."""
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
        "credential": {"key": API_KEY},  # ml-commons refuses a connector without one
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
                # The sidecar drops, or refuses at once, what would come after ml-commons has given up.
                "headers": {"Authorization": "Bearer ${credential.key}", "x-timeout-ms": str(1000 * timeout_s)},
                "request_body": f'{{"model": "${{parameters.model}}", {inputs}}}',
                "pre_process_function": f"connector.pre_process.{functions}",
                "post_process_function": f"connector.post_process.{functions}",
            }
        ],
    }
