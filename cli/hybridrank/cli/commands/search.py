"""`hybridrank search`: one search, as text or as JSON."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options.choices import DEFAULT_CHUNKS, FILTER_SYNTAX
from hybridrank.cli.options.shared import (
    EngineOption,
    FeatureSetsOption,
    FusionOption,
    IndexOption,
    JsonOption,
    MaxChunksOption,
    SidecarOption,
    StrictOption,
    WeightOption,
)

__all__ = ["search"]

err = Console(stderr=True, highlight=False)


def search(
    query_text: Annotated[str, typer.Argument(metavar="TEXT", help="The query.", show_default=False)],
    index: IndexOption,
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
    rerank: Annotated[
        str,
        typer.Option(metavar="MODEL[+MODEL…]|none", help="Reranker for the first documents, or several in turn."),
    ] = "colbert",
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A configuration as `tune` writes it, in place of --rerank, --weight, --window, --max-chunks.",
        ),
    ] = None,
    features: FeatureSetsOption = None,
    token_vectors: Annotated[
        bool | None,
        typer.Option(
            "--token-vectors/--no-token-vectors",
            help="Late interaction over stored token vectors, or over texts.",
            show_default="stored ones if the index notes them",
        ),
    ] = None,
    weight: WeightOption = None,
    window: Annotated[int, typer.Option(min=1, help="How many documents the reranker scores.")] = 50,
    max_chunks: MaxChunksOption = DEFAULT_CHUNKS,
    budget_ms: Annotated[
        int, typer.Option(min=1, help="Time limit of reranking in milliseconds; after it, the fused order is shown.")
    ] = 2000,
    filters: Annotated[
        list[str] | None, typer.Option("--filter", help=f"{FILTER_SYNTAX}. May be repeated: all must match.")
    ] = None,
    fusion: FusionOption = "client",
    highlight: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="Show the query's words in this field. May be repeated."),
    ] = None,
    from_: Annotated[int, typer.Option("--from", min=0, help="How many hits to skip.")] = 0,
    size: Annotated[int, typer.Option(min=0, help="How many hits to show.")] = 10,
    strict: StrictOption = True,
    explain: Annotated[bool, typer.Option(help="Show rank and score of every stage.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Search an index: BM25 and kNN in one round trip, fused, reranked.

    Examples:
    hybridrank search "undo the last commit" --index docs
    hybridrank search "parse a date" --index docs --engine http://localhost:9200 --filter "kind=function" --explain
    hybridrank search "toner" --index shop --rerank lambdamart+cross-encoder --features features.json
    hybridrank search "parse a date" --index docs --no-token-vectors --window 300
    hybridrank search "parse a date" --index docs --config tuned.yaml --explain
    hybridrank search "parse a date" --index docs --engine http://localhost:9200 --fusion native --highlight text
    hybridrank search "parse a date" --index docs --highlight summary --no-strict
    """
    from pydantic import ValidationError

    from hybridrank.cli.actions.search import run_search, show_response
    from hybridrank.cli.options.configurations import load_configuration
    from hybridrank.cli.options.feature_sets import load_feature_sets
    from hybridrank.cli.options.filters import parse
    from hybridrank.common.error_text import wrong_values
    from hybridrank.connector import Misconfigured, SearchRequest
    from hybridrank.evaluation.experiments.pipelines import PipelineSettings
    from hybridrank.evaluation.experiments.served_models import NoLateInteraction, UnknownModel, WrongFeatureSet

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
            strict=strict,
        )
    except ValidationError as error:
        raise typer.BadParameter(wrong_values(error.errors(), "the request")) from error
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    settings = PipelineSettings(
        weight=weight,
        rescore_window_size=window,
        timeout_s=budget_ms / 1000,
        max_chunks=max_chunks,
        fusion=fusion,
    )
    models = [] if rerank == "none" or configuration else rerank.split("+")
    if not all(models):
        raise typer.BadParameter(f"{rerank!r} is not MODEL, MODEL+MODEL or none", param_hint="--rerank")
    if configuration:
        stage = configuration.stage(settings.timeout_s, token_vectors=token_vectors)
        request = request.model_copy(update={"rescore": stage})
    feature_sets = load_feature_sets(features)
    try:
        response = asyncio.run(run_search(request, engine, sidecar, models, settings, feature_sets, token_vectors))
    except NoLateInteraction as error:
        raise typer.BadParameter(str(error), param_hint="--token-vectors") from error
    except WrongFeatureSet as error:
        raise typer.BadParameter(str(error), param_hint="--features") from error
    except UnknownModel as error:
        raise typer.BadParameter(str(error), param_hint="--config" if configuration else "--rerank") from error
    except Misconfigured as error:
        err.print(f"error: {error}\n--no-strict answers without it", markup=False, soft_wrap=True)
        raise typer.Exit(1) from error
    if as_json:
        print(json.dumps(asdict(response), ensure_ascii=False))
    else:
        show_response(response, explain=explain)
