"""Pipelines and the search template of OpenSearch, for applications that call only the cluster.

Bodies for `PUT _ingest/pipeline`, `PUT _search/pipeline` and `PUT _scripts`; `encoder` and `reranker` are model ids
that ml-commons assigned.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "DOCUMENTS_A_CALL",
    "PASSAGE",
    "WINDOW_FACTOR",
    "by_field",
    "embed",
    "normalization",
    "rerank",
    "rrf",
    "search_template",
]

PASSAGE = "passage"
"""The field that the ingest pipeline adds: the text that models read, one line per text field.

`text_embedding` makes a vector of one field, and `rerank` joins several fields without a space.
"""

WINDOW_FACTOR = 5
"""Pages that a reranker scores: 50 documents for a page of ten, the same as the library rescores."""

DOCUMENTS_A_CALL = 32
"""Documents of a bulk request whose texts go to the encoder together; the processor's own default is one."""

RETRIEVER_K = 100
_RANK_CONSTANT = 60
_TIE_BREAKER = 0.2  # same as in the library's BM25 query
_FILTER = '{{#filter}}"filter": {{#toJson}}filter{{/toJson}}, {{/filter}}'

# Same as the library's passage text: existing fields, in order, one line each.
_JOIN = """
def lines = [];
for (field in params.fields) {
  def value = ctx[field];
  if (value != null && value != '') { lines.add(value.toString()); }
}
if (lines.isEmpty()) { ctx.remove(params.passage); }
else { ctx[params.passage] = String.join(params.separator, lines); }
"""


def embed(encoder: str, text_fields: Sequence[str]) -> dict[str, Any]:
    """Builds an ingest pipeline: `passage` from the text fields, `vector` from the passage; neither without a text."""
    return {
        "description": "hybridrank: a passage of the text fields, and its vector from the sidecar",
        "processors": [
            {
                "script": {
                    "lang": "painless",
                    "source": " ".join(_JOIN.split()),
                    "params": {"fields": list(text_fields), "passage": PASSAGE, "separator": "\n"},
                }
            },
            {
                "text_embedding": {
                    "model_id": encoder,
                    "field_map": {PASSAGE: "vector"},
                    "batch_size": DOCUMENTS_A_CALL,
                }
            },
        ],
    }


def normalization(encoder: str) -> dict[str, Any]:
    """Builds a search pipeline for `hybrid` queries: min-max normalises the scores of each query and averages them."""
    return {
        "description": "hybridrank: hybrid queries, min-max scores averaged",
        "request_processors": [_enricher(encoder)],
        "phase_results_processors": [
            {
                "normalization-processor": {
                    "normalization": {"technique": "min_max"},
                    "combination": {"technique": "arithmetic_mean"},
                }
            }
        ],
    }


def rrf(encoder: str) -> dict[str, Any]:
    """A search pipeline for `hybrid` queries: reciprocal rank fusion (Cormack, Clarke & Büttcher, SIGIR 2009)."""
    return {
        "description": "hybridrank: hybrid queries, reciprocal rank fusion",
        "request_processors": [_enricher(encoder)],
        "phase_results_processors": [_rank_fusion()],
    }


def rerank(encoder: str, reranker: str) -> dict[str, Any]:
    """Builds a search pipeline for `hybrid` queries: fuses, reranks WINDOW_FACTOR pages by a model, then cuts the page.

    If the sidecar returns no scores, or the request has no `ext.rerank`, the page is the head of the fused ranking.
    """
    stage = {"ml_opensearch": {"model_id": reranker}, "context": {"document_fields": [PASSAGE]}}
    return _second_stage(encoder, "reciprocal rank fusion, then the head reranked by the sidecar", stage)


def by_field(encoder: str, score_field: str) -> dict[str, Any]:
    """Builds a search pipeline for `hybrid` queries: fuses, then sorts WINDOW_FACTOR pages by `score_field`.

    For scores that were computed elsewhere and stored. If one hit of the window has no such number, the order of the
    fusion stays.
    """
    stage = {"by_field": {"target_field": score_field}}
    return _second_stage(encoder, f"reciprocal rank fusion, then the head by the field {score_field}", stage)


def search_template(text_fields: Sequence[str]) -> dict[str, Any]:
    """Builds a stored search template: `query_text`, with optional `size` and `filter`, becomes the whole body.

    The URL must name the pipeline: OpenSearch ignores a pipeline in a template.
    """
    text = "{{query_text}}"
    query = {
        "hybrid": {
            "queries": [
                {
                    "multi_match": {
                        "query": text,
                        "fields": list(text_fields),
                        "type": "best_fields",
                        "tie_breaker": _TIE_BREAKER,
                    }
                },
                {"neural": {"vector": {"query_text": text, "k": RETRIEVER_K}}},
            ]
        }
    }
    body = {
        "size": "SIZE",
        "_source": {"excludes": ["vector"]},
        "query": query,
        "ext": {"rerank": {"query_context": {"query_text": text}}},
    }
    # A number and an object are unquoted in the template, which JSON cannot express.
    source = json.dumps(body).replace('"SIZE"', "{{size}}{{^size}}10{{/size}}")
    source = source.replace('"hybrid": {', '"hybrid": { ' + _FILTER, 1)
    return {"script": {"lang": "mustache", "source": source}}


def _second_stage(encoder: str, what: str, stage: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "description": f"hybridrank: hybrid queries, {what}",
        "request_processors": [{"oversample": {"sample_factor": WINDOW_FACTOR}}, _enricher(encoder)],
        "phase_results_processors": [_rank_fusion()],
        "response_processors": [{"rerank": {**stage, "ignore_failure": True}}, {"truncate_hits": {}}],
    }


def _enricher(encoder: str) -> dict[str, Any]:
    """Builds a request processor that sets the model of `neural` queries, whose id differs on every cluster."""
    return {"neural_query_enricher": {"default_model_id": encoder}}


def _rank_fusion() -> dict[str, Any]:
    return {"score-ranker-processor": {"combination": {"technique": "rrf", "rank_constant": _RANK_CONSTANT}}}
