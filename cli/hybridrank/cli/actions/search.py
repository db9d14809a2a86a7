"""`hybridrank search`: runs one search and prints the hits."""

import html
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hybridrank.cli.session import default_engine, open_engine, open_search
from hybridrank.common.counts import counted
from hybridrank.connector import Hit, SearchRequest, SearchResponse, TotalHits
from hybridrank.connector.queries.retrievers import RETRIEVERS
from hybridrank.evaluation.experiments.pipelines import PipelineSettings
from hybridrank.evaluation.experiments.served_models import feature_sets_of, stored_models
from hybridrank.ltr_features import FeatureSet

__all__ = ["run_search", "show_response"]

_SNIPPET = 160  # characters of a document's text below its title

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


async def run_search(
    request: SearchRequest,
    engine: str,
    sidecar: str,
    models: list[str],
    settings: PipelineSettings,
    feature_sets: list[FeatureSet],
    token_vectors: bool | None,
) -> SearchResponse:
    """Searches with the models as stages, on features or stored token vectors if requested.

    Sparse vectors are compared by the model that the index notes.
    """
    async with AsyncExitStack() as stack:
        target = await open_engine(engine or default_engine())
        stack.push_async_callback(target.close)
        if request.needs_sparse and (noted := (await target.fields(request.index)).sparse_vectors):
            request = request.model_copy(update={"sparse_encoder": noted.name})
        opened = open_search(
            target,
            sidecar,
            settings.fusion,
            index=request.index,
            needs=_models_of(request, models),
            strict=request.strict,
        )
        hybrid, client = await stack.enter_async_context(opened)
        if feature_sets:
            found = feature_sets_of(models, await client.models(), feature_sets)
            settings = replace(settings, feature_sets=found)
        if token_vectors is not None:
            named = _models_of_stages(request, models)
            late = stored_models(named, await client.models()) if token_vectors else ()
            settings = replace(settings, token_vectors=late)
        stages = [settings.stage(model) for model in models]
        if stages:
            request = request.model_copy(update={"rescore": tuple(stages) if len(stages) > 1 else stages[0]})
        return await hybrid.search(request)


def _models_of(request: SearchRequest, models: list[str]) -> list[str]:
    """Returns the models of the request's own stages, and those of the options."""
    encoder = ["encoder"] if any(RETRIEVERS[name].needs_vector for name in request.retrievers) else []
    sparse = [request.sparse_encoder] if request.needs_sparse else []
    return list(dict.fromkeys([*encoder, *sparse, *_models_of_stages(request, models)]))


def _models_of_stages(request: SearchRequest, models: list[str]) -> list[str]:
    stages = request.rescore if isinstance(request.rescore, tuple) else (request.rescore,)
    return [*models, *filter(None, (getattr(stage, "model", "") for stage in stages))]


def show_response(response: SearchResponse, *, explain: bool) -> None:
    """Prints the hits, and on stderr the parts that were left out."""
    for each in response.degraded:
        what = "is partial" if each.reason == "partial" else f"was left out ({each.reason})"
        err.print(f"degraded: {each.stage} {what}: {each.detail}", markup=False)
    if not response.hits:
        out.print("no hits" if not response.total_candidates else "this page is past the end of the ranking")
    table = Table(box=None, show_header=explain, pad_edge=False)
    table.add_column("#", justify="right", style="bold")
    table.add_column("document")
    retrievers = _retrievers(response.hits)
    if explain:
        for name in (*retrievers, "fused", "rerank", "score", "final"):
            table.add_column(name, justify="right")
    several = len({hit.index for hit in response.hits}) > 1
    for hit in response.hits:
        name = str(hit.key) if several else hit.doc_id
        title = str(hit.source.get("title") or "")
        heading = f"{escape(title)} [dim]({escape(name)})" if title else f"{escape(name)}[dim]"
        table.add_row(
            str(hit.rank),
            f"{heading}\n{_text(hit)}[/]",
            *(_stages(hit, retrievers) if explain else ()),
        )
    out.print(table)
    timings = response.timings
    out.print(
        f"[dim]{_matches(response.total)}{counted(response.total_candidates, 'candidate')}"
        f" · encode {timings.encode_ms:.0f} ms · retrieve {timings.retrieve_ms:.0f} ms"
        f" · rescore {timings.rescore_ms:.0f} ms[/]"
    )


def _matches(total: TotalHits | None) -> str:
    if total is None:
        return ""
    bound = "at least " if total.relation == "gte" else ""
    return f"{bound}{total.value:,} BM25 {'match' if total.value == 1 else 'matches'} · "


def _text(hit: Hit) -> str:
    """Returns fragments with the query's words in bold, or the beginning of the text or of its best passage."""
    if not hit.highlights:
        heading = f"{hit.source.get('title')}\n"
        text = hit.passage.text.removeprefix(heading) if hit.passage else str(hit.source.get("text", ""))
        return escape(" ".join(text.split())[:_SNIPPET])
    fragments = escape(" … ".join(" ".join(each.split()) for found in hit.highlights.values() for each in found))
    return html.unescape(fragments.replace("<em>", "[bold]").replace("</em>", "[/bold]"))


def _retrievers(hits: Sequence[Hit]) -> list[str]:
    """The retrievers to show: BM25 and kNN, and any other that found a document."""
    used = {name for hit in hits for name in hit.retrievers}
    return [name for name in RETRIEVERS if name in ("bm25", "knn") or name in used]


def _stages(hit: Hit, retrievers: Sequence[str]) -> tuple[str, ...]:
    found = (hit.retrievers.get(name) for name in retrievers)
    by_retriever = (f"{each.rank} [dim]{each.score:.3f}[/]" if each else "[dim]–[/]" for each in found)
    rerank = "[dim]–[/]" if hit.rerank_score is None else f"{hit.rerank_score:.3f}"
    return (
        *by_retriever,
        f"{hit.fused_rank} [dim]{hit.fused_score:.4f}[/]",
        rerank,
        f"{hit.score:.3f}",
        f"{hit.final_score:.3f}",
    )
