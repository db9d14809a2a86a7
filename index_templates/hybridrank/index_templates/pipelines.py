"""Pipelines and the search template of OpenSearch, for applications that speak to the cluster alone.

Bodies for `PUT _ingest/pipeline`, `PUT _search/pipeline` and `PUT _scripts`; `encoder` and `reranker` are ids of models
that ml-commons gave.
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
"""The field that the ingest pipeline adds: the text that models read, a line for each text field.

`text_embedding` makes a vector of one field, and `rerank` glues several without a space between them.
"""

WINDOW_FACTOR = 5
"""Pages a reranker sees: 50 documents for a page of ten, which is also what the library rescores."""

DOCUMENTS_A_CALL = 32
"""Documents of a bulk request whose texts go to the encoder together; the processor's own default is one at a time."""

RETRIEVER_K = 100
_RANK_CONSTANT = 60
_TIE_BREAKER = 0.2  # as the library's BM25 query
_FILTER = '{{#filter}}"filter": {{#toJson}}filter{{/toJson}}, {{/filter}}'

# The library's passage text: fields that are there, in order, a line each.
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
    """An ingest pipeline: `passage` of the text fields, `vector` of the passage; neither where there is no text."""
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
    """A search pipeline for `hybrid` queries: scores of each query scaled to [0, 1] by min and max, then their mean."""
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
    """A search pipeline for `hybrid` queries: fusion, then WINDOW_FACTOR pages reranked by a model, then the page.

    Where the sidecar gives no scores, or the request no `ext.rerank`, the page is the head of the fused ranking.
    """
    stage = {"ml_opensearch": {"model_id": reranker}, "context": {"document_fields": [PASSAGE]}}
    return _second_stage(encoder, "reciprocal rank fusion, then the head reranked by the sidecar", stage)


def by_field(encoder: str, score_field: str) -> dict[str, Any]:
    """A search pipeline for `hybrid` queries: fusion, then WINDOW_FACTOR pages by the number in `score_field`.

    For scores that were computed elsewhere and stored. When one hit of the window lacks the number, the order of the
    fusion stays.
    """
    stage = {"by_field": {"target_field": score_field}}
    return _second_stage(encoder, f"reciprocal rank fusion, then the head by the field {score_field}", stage)


def search_template(text_fields: Sequence[str]) -> dict[str, Any]:
    """A stored search template: `query_text`, with `size` and `filter` where given, becomes the whole body.

    The pipeline is named in the URL: OpenSearch does not look for it in what a template gives.
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
    # A number and an object stand in the template without quotes, which no JSON can say.
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
    """So that a `neural` query need not name a model, whose id is another on every cluster."""
    return {"neural_query_enricher": {"default_model_id": encoder}}


def _rank_fusion() -> dict[str, Any]:
    return {"score-ranker-processor": {"combination": {"technique": "rrf", "rank_constant": _RANK_CONSTANT}}}
