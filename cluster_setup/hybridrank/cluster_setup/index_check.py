"""A check that the library can search an index: the fields of its mapping, then one search with every stage."""

from collections.abc import Sequence

from hybridrank.cluster_setup.findings import Finding
from hybridrank.cluster_setup.index_findings import encoder_findings, language_findings
from hybridrank.common.counts import counted
from hybridrank.connector import ConnectorError, HybridSearch, ModelInfo, Rescore, SearchRequest, SidecarClient
from hybridrank.connector.engines.base import Engine
from hybridrank.connector.mapping.fields import Fields
from hybridrank.connector.request import RetrieverName

__all__ = ["check_index", "field_findings"]

_DEFAULT_VECTORS = ("vector", "passages.vector")  # fields of a search that names no vector field
_PATIENCE_S = 10.0  # the first search of an index loads and warms up


async def check_index(
    engine: Engine, client: SidecarClient | None, models: Sequence[ModelInfo], index: str
) -> list[Finding]:
    """Returns a finding for each part that a search needs; `client` is None if no sidecar answers."""
    try:
        fields = await engine.fields(index)
    except ConnectorError as error:
        return [Finding(f"index {index}", "problem", str(error), "give the name of an index or an alias")]
    findings = [
        *field_findings(index, fields, models),
        *encoder_findings(index, fields, models),
        *language_findings(index, fields, models),
    ]
    if any(each.state == "problem" for each in findings):
        return findings
    return [*findings, await _search(engine, client, models, index, fields)]


def field_findings(index: str, fields: Fields, models: Sequence[ModelInfo]) -> list[Finding]:
    """Returns the findings of the mapping about BM25, kNN and rescoring."""
    return [_text(index, fields), _vectors(index, fields, models)]


def _text(index: str, fields: Fields) -> Finding:
    subject, read = f"fields of {index}", ", ".join(fields.boosts)
    missing = [name for name in fields.boosts if name not in fields.types]
    if not missing:
        return Finding(subject, "ok", f"BM25 and rerankers read {read}")
    own = sorted(name for name, kind in fields.types.items() if kind == "text")
    named = ", ".join(f"{name!r}: 1.0" for name in own[:3])
    return Finding(
        subject,
        "problem",
        f"a search that names no fields reads {read}, and there is no {' and no '.join(missing)} here",
        f"name the index's own: SearchRequest(fields={{{named}}})" if own else "the index has no text field at all",
    )


def _vectors(index: str, fields: Fields, models: Sequence[ModelInfo]) -> Finding:
    subject = f"vectors of {index}"
    if not fields.dimensions:
        advice = "search with retrievers=('bm25',), or write vectors with `hybridrank index`"
        return Finding(subject, "note", "no field holds vectors: kNN finds nothing", advice)
    name = next((each for each in _DEFAULT_VECTORS if each in fields.dimensions), next(iter(fields.dimensions)))
    sizes = fields.dimensions[name]
    detail = f"{name} holds vectors of {' and '.join(map(str, sorted(sizes)))} dimensions"
    if name not in _DEFAULT_VECTORS:
        return Finding(subject, "note", detail, f"name it in each search: SearchRequest(vector_field={name!r})")
    encoders = {each.name: each.dimensions for each in models if each.dimensions}
    if encoders and not sizes.issubset(encoders.values()):
        makes = ", ".join(f"{encoder} makes {size}" for encoder, size in encoders.items())
        advice = "serve the encoder that the index was written with, or index the documents anew"
        return Finding(subject, "problem", f"{detail}; {makes}", advice)
    return Finding(subject, "ok", detail)


async def _search(
    engine: Engine, client: SidecarClient | None, models: Sequence[ModelInfo], index: str, fields: Fields
) -> Finding:
    """Searches as an application does; a part that is left out here is left out there too."""
    by_vector = client is not None and any(each in fields.dimensions for each in _DEFAULT_VECTORS)
    retrievers: tuple[RetrieverName, ...] = ("bm25", "knn") if by_vector else ("bm25",)
    reranker = next((each.name for each in models if each.kind == "cross-encoder"), "") if client else ""
    request = SearchRequest(
        index=index,
        query_text="test",
        retrievers=retrievers,
        rescore=Rescore(model=reranker, timeout_s=_PATIENCE_S) if reranker else None,
        encode_timeout_s=_PATIENCE_S,
    )
    subject = f"search of {index}"
    try:
        response = await HybridSearch(engine, client).search(request)
    except ConnectorError as error:
        return Finding(subject, "problem", str(error), "the library cannot search this index")
    if response.degraded:
        told = "; ".join(f"{each.stage}: {each.reason}: {each.detail}" for each in response.degraded)
        return Finding(subject, "problem", told, "searches go on without these parts")
    by = " and ".join(retrievers) + (f", rescored by {reranker}" if reranker and response.hits else "")
    return Finding(subject, "ok", f"{counted(response.total_candidates, 'candidate')} by {by}")
