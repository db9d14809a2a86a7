"""`hybridrank search`: one search, as a person or a program wants to see it."""

import asyncio
import html
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from connector import Hit, SearchRequest, SearchResponse
from evaluation.pipelines import PipelineSettings
from hybridrank.configurations import load_configuration
from hybridrank.feature_sets import FeatureSetsOption, feature_sets_of, load_feature_sets
from hybridrank.filters import SYNTAX, parse
from hybridrank.late_interaction import stored_models
from hybridrank.options import EngineOption, FusionOption, IndexOption, JsonOption, SidecarOption
from hybridrank.session import open_search
from ltr_features import FeatureSet

__all__ = ["search"]

_SNIPPET = 160  # characters of a document's text below its title

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def search(
    query_text: Annotated[str, typer.Argument(metavar="TEXT", help="What to look for.", show_default=False)],
    index: IndexOption,
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
    rerank: Annotated[
        str,
        typer.Option(metavar="MODEL[+MODEL…]|none", help="Reranker for the head of the ranking, or several in turn."),
    ] = "colbert",
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A configuration as `tune` writes it, in place of --rerank, --weight, --window."
        ),
    ] = None,
    features: FeatureSetsOption = None,
    token_vectors: Annotated[
        bool, typer.Option("--token-vectors", help="Have late interaction score what index --token-vectors stored.")
    ] = False,
    weight: Annotated[float, typer.Option(min=0.01, max=1, help="Share of the reranker in the final score.")] = 0.5,
    window: Annotated[int, typer.Option(min=1, help="How many documents the reranker scores.")] = 50,
    budget_ms: Annotated[
        int, typer.Option(min=1, help="What reranking may cost before the fused order is shown.")
    ] = 2000,
    filters: Annotated[list[str] | None, typer.Option("--filter", help=f"{SYNTAX}. May be repeated: all hold.")] = None,
    fusion: FusionOption = "client",
    highlight: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="Show where the query's words stand in this field. May be repeated."),
    ] = None,
    from_: Annotated[int, typer.Option("--from", min=0, help="How many hits to skip.")] = 0,
    size: Annotated[int, typer.Option(min=0, help="How many hits to show.")] = 10,
    explain: Annotated[bool, typer.Option(help="Show rank and score of every stage.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Search an index: BM25 and kNN in one round trip, fused, reranked.

    Examples:
    hybridrank search "undo the last commit" --index docs
    hybridrank search "parse a date" --index docs --engine http://localhost:9200 --filter "kind=function" --explain
    hybridrank search "toner" --index shop --rerank lambdamart+cross-encoder --features features.json
    hybridrank search "parse a date" --index docs --token-vectors --window 300
    hybridrank search "parse a date" --index docs --config tuned.yaml --explain
    hybridrank search "parse a date" --index docs --engine http://localhost:9200 --fusion native --highlight text
    """
    configuration = load_configuration(config, err) if config else None
    asked: Callable[..., SearchRequest] = configuration.request if configuration else SearchRequest
    try:
        request = asked(
            index=index,
            query_text=query_text,
            filters=tuple(parse(each) for each in filters or ()),
            highlight=tuple(highlight or ()),
            from_=from_,
            size=size,
        )
    except ValidationError as error:
        raise typer.BadParameter("; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())) from error
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    settings = PipelineSettings(weight=weight, rescore_window_size=window, timeout_s=budget_ms / 1000, fusion=fusion)
    models = [] if rerank == "none" or configuration else rerank.split("+")
    if not all(models):
        raise typer.BadParameter(f"{rerank!r} is not MODEL, MODEL+MODEL or none", param_hint="--rerank")
    if configuration:
        request = request.model_copy(update={"rescore": configuration.stage(settings.timeout_s)})
    feature_sets = load_feature_sets(features)
    response = asyncio.run(_search(request, engine, sidecar, models, settings, feature_sets, token_vectors))
    if as_json:
        print(json.dumps(asdict(response), ensure_ascii=False))
    else:
        _show(response, explain=explain)


async def _search(
    request: SearchRequest,
    engine: str,
    sidecar: str,
    models: list[str],
    settings: PipelineSettings,
    feature_sets: list[FeatureSet],
    token_vectors: bool,
) -> SearchResponse:
    async with open_search(engine, sidecar, settings.fusion) as (hybrid, client):
        if feature_sets:
            found = feature_sets_of(models, await client.models(), feature_sets)
            settings = replace(settings, feature_sets=found)
        if token_vectors:
            settings = replace(settings, token_vectors=stored_models(models, await client.models()))
        stages = [settings.stage(model) for model in models]
        if stages:
            request = request.model_copy(update={"rescore": tuple(stages) if len(stages) > 1 else stages[0]})
        return await hybrid.search(request)


def _show(response: SearchResponse, *, explain: bool) -> None:
    for each in response.degraded:
        what = "is partial" if each.reason == "partial" else f"was left out ({each.reason})"
        err.print(f"degraded: {each.stage} {what}: {each.detail}", markup=False)
    if not response.hits:
        out.print("no hits" if not response.total_candidates else "this page is past the end of the ranking")
    table = Table(box=None, show_header=explain, pad_edge=False)
    table.add_column("#", justify="right", style="bold")
    table.add_column("document")
    if explain:
        for name in ("bm25", "knn", "fused", "rerank", "score", "final"):
            table.add_column(name, justify="right")
    for hit in response.hits:
        title = str(hit.source.get("title") or hit.doc_id)
        table.add_row(
            str(hit.rank),
            f"{escape(title)} [dim]{escape(hit.doc_id)}\n{_text(hit)}[/]",
            *(_stages(hit) if explain else ()),
        )
    out.print(table)
    timings = response.timings
    out.print(
        f"[dim]{response.total_candidates} candidates · encode {timings.encode_ms:.0f} ms · retrieve"
        f" {timings.retrieve_ms:.0f} ms · rescore {timings.rescore_ms:.0f} ms[/]"
    )


def _text(hit: Hit) -> str:
    """The beginning of the text or of its best passage, or fragments around the query's words, those in bold."""
    if not hit.highlights:
        heading = f"{hit.source.get('title')}\n"
        text = hit.passage.text.removeprefix(heading) if hit.passage else str(hit.source.get("text", ""))
        return escape(" ".join(text.split())[:_SNIPPET])
    fragments = escape(" … ".join(" ".join(each.split()) for found in hit.highlights.values() for each in found))
    return html.unescape(fragments.replace("<em>", "[bold]").replace("</em>", "[/bold]"))


def _stages(hit: Hit) -> tuple[str, ...]:
    found = (hit.retrievers.get(name) for name in ("bm25", "knn"))
    by_retriever = (f"{each.rank} [dim]{each.score:.3f}[/]" if each else "[dim]–[/]" for each in found)
    rerank = "[dim]–[/]" if hit.rerank_score is None else f"{hit.rerank_score:.3f}"
    return (
        *by_retriever,
        f"{hit.fused_rank} [dim]{hit.fused_score:.4f}[/]",
        rerank,
        f"{hit.score:.3f}",
        f"{hit.final_score:.3f}",
    )
