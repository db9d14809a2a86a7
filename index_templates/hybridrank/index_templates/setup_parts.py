"""All parts that `hybridrank setup opensearch` installs in a cluster, each after the parts that it needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hybridrank.index_templates import EncoderNote, IndexDefinition, pipelines, render
from hybridrank.index_templates.ml_commons import (
    DOCUMENT_ENCODER,
    MODEL_GROUP,
    MODELS,
    QUERY_ENCODER,
    RERANKER,
    HttpSidecar,
    connectors,
    remote_model,
)
from hybridrank.index_templates.setup_plan import Part, reference

__all__ = [
    "BY_FIELD_PIPELINE",
    "INGEST_PIPELINE",
    "NORMALIZATION_PIPELINE",
    "RECORD",
    "RERANK_PIPELINE",
    "RRF_PIPELINE",
    "SEARCH_PIPELINES",
    "SEARCH_TEMPLATE",
    "TEMPLATE_PREFIX",
    "IndexWish",
    "parts",
]

RECORD = "hybridrank-setup"
INGEST_PIPELINE = "hybridrank-embed"
NORMALIZATION_PIPELINE = "hybridrank-normalization"
RRF_PIPELINE = "hybridrank-rrf"
RERANK_PIPELINE = "hybridrank-rerank"
BY_FIELD_PIPELINE = "hybridrank-by-field"
SEARCH_PIPELINES = (NORMALIZATION_PIPELINE, RRF_PIPELINE, RERANK_PIPELINE, BY_FIELD_PIPELINE)
SEARCH_TEMPLATE = "hybridrank-search"
TEMPLATE_PREFIX = "hybridrank-setup-"

_PRIORITY = 501  # above the template of `hybridrank index`, so that an index may use both


@dataclass(frozen=True, slots=True)
class IndexWish:
    """An index to be created; `encoder` embeds its documents when they are written."""

    name: str
    dimensions: int
    encoder: EncoderNote | None = None


def parts(
    sidecar: HttpSidecar, *, text_fields: Sequence[str], score_field: str, index: IndexWish | None
) -> tuple[Part, ...]:
    """Returns the parts, without the cluster settings. The pipeline by field sorts by `score_field`."""
    ids = {name: reference("model", name) for name in MODELS}
    encoder, group = ids[QUERY_ENCODER], reference("model group", MODEL_GROUP)
    search = {
        NORMALIZATION_PIPELINE: pipelines.normalization(encoder),
        RRF_PIPELINE: pipelines.rrf(encoder),
        RERANK_PIPELINE: pipelines.rerank(encoder, ids[RERANKER]),
        BY_FIELD_PIPELINE: pipelines.by_field(encoder, score_field),
    }
    return (
        *(Part("connector", name, body) for name, body in connectors(sidecar).items()),
        Part("model group", MODEL_GROUP, {"name": MODEL_GROUP, "description": "hybridrank: the models of a sidecar"}),
        *(
            Part("model", name, remote_model(name, connector_id=reference("connector", name), group_id=group))
            for name in MODELS
        ),
        *(Part("deployment", name, {}) for name in MODELS),
        Part("ingest pipeline", INGEST_PIPELINE, pipelines.embed(ids[DOCUMENT_ENCODER], text_fields)),
        *(Part("search pipeline", name, body) for name, body in search.items()),
        Part("search template", SEARCH_TEMPLATE, pipelines.search_template(text_fields)),
        *([Part("index template", f"{TEMPLATE_PREFIX}{index.name}", _template(index, text_fields))] if index else []),
    )


def _template(index: IndexWish, text_fields: Sequence[str]) -> dict[str, Any]:
    body = render(
        "opensearch", index.name, IndexDefinition(index.dimensions, tuple(text_fields), encoder=index.encoder)
    )
    body["priority"] = _PRIORITY
    settings = body["template"]["settings"]
    settings["index"] |= {
        "analysis": settings.pop("analysis"),  # at the place where servers return it
        "default_pipeline": INGEST_PIPELINE,
        # A hybrid query without a pipeline would come back unfused, with scores like -9.5e9. Others pass unchanged.
        "search": {"default_pipeline": RRF_PIPELINE},
    }
    body["template"]["mappings"]["properties"][pipelines.PASSAGE] = {"type": "text", "index": False}
    return body
