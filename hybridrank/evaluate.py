"""`hybridrank evaluate`: how good each pipeline's rankings are on a collection with judgments, and how fast."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from connector.types import TokenFormat
from evaluation.configuration import ConfiguredPipeline
from evaluation.experiment import PipelineRun
from evaluation.fold_models import FoldModels
from evaluation.html_report import html_report, quality_and_latency
from evaluation.measures import STANDARD_MEASURES, cutoff, parse_measure
from evaluation.measures import evaluate as measure
from evaluation.pipelines import STANDARD_PIPELINES, Pipeline, PipelineSettings, parse_pipeline
from evaluation.report import caption, markdown, result_table, win_loss_caption, win_loss_table
from evaluation.results import ExperimentResult, summarise
from evaluation.runs import write_run
from hybridrank import tables
from hybridrank.configurations import load_configuration
from hybridrank.experiments import UnknownModel, index_name, judged_queries, open_bench, read_collection
from hybridrank.feature_sets import FeatureSetsOption, feature_sets_of, load_feature_sets
from hybridrank.late_interaction import stored_models
from hybridrank.options import EngineOption, FusionOption, SidecarOption
from hybridrank.session import default_engine
from ltr_features import FeatureSet

__all__ = ["evaluate"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def evaluate(
    collection: Annotated[
        Path,
        typer.Option(help="Folder with corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv (or .gz).", show_default=False),
    ],
    split: Annotated[str, typer.Option(help="Which judgments: qrels/SPLIT.tsv.")] = "test",
    pipelines: Annotated[
        str,
        typer.Option(metavar="NAME,…", help="bm25, knn or rrf, each with +MODEL to rescore, once or several times."),
    ] = ",".join(STANDARD_PIPELINES),
    baseline: Annotated[str, typer.Option(help="The pipeline that the others are tested against.")] = "bm25",
    config: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A configuration as `tune` writes it, by the file's name. May be repeated."),
    ] = None,
    measures: Annotated[
        str,
        typer.Option(
            metavar="NAME,…",
            help="ndcg, mrr or map, with @K or without; p, recall, judged or err with @K. The first one compares.",
        ),
    ] = ",".join(STANDARD_MEASURES),
    engine: EngineOption = "",
    index: Annotated[
        str, typer.Option(help="Name of the index, filled as needed.", show_default="one for this content")
    ] = "",
    sidecar: SidecarOption = "auto",
    features: FeatureSetsOption = None,
    fold_models: Annotated[
        Path | None,
        typer.Option(
            help="Models of a cross-validation (`ltr train --fold-models`): each query by the one that never saw it.",
            show_default=False,
        ),
    ] = None,
    token_vectors: Annotated[
        TokenFormat | None,
        typer.Option(help="Store token vectors in the index, packed so, and have late interaction score those."),
    ] = None,
    queries: Annotated[
        int | None, typer.Option(min=1, help="Only the first N judged queries.", show_default="all")
    ] = None,
    weight: Annotated[float, typer.Option(min=0.01, max=1, help="Share of the reranker in the final score.")] = 0.5,
    window: Annotated[int, typer.Option(min=1, max=10_000, help="How many documents the reranker scores.")] = 50,
    budget_s: Annotated[
        float, typer.Option(min=0.001, help="What reranking may take before the fused order is used.")
    ] = 30.0,
    fusion: FusionOption = "client",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write everything measured, per query too.")
    ] = None,
    html_file: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write one page with tables, picture, and the texts of queries."),
    ] = None,
    svg_file: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Draw quality against latency.")
    ] = None,
    run_dir: Annotated[Path | None, typer.Option(help="Write one TREC run file a pipeline into this folder.")] = None,
    per_query: Annotated[
        bool, typer.Option("--per-query", help="List the queries, with their texts, that win and lose most.")
    ] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")] = False,
) -> None:
    """Measure pipelines on a collection: quality, latency, and whether differences could be chance.

    Documents that the index lacks are encoded and written first; vectors are cached, so the next run starts at once.

    Examples:
    hybridrank evaluate --collection ./scifact --split test --json scifact.json
    hybridrank evaluate --collection ./scifact --pipelines bm25,rrf+colbert --weight 0.7 --run-dir ./runs --markdown
    hybridrank evaluate --collection ./scifact --measures map,ndcg@5,p@5,err@20 --html scifact.html
    hybridrank evaluate --collection ./scifact --engine http://localhost:9200 --queries 50
    hybridrank evaluate --collection ./shop --pipelines rrf,rrf+lambdamart+cross-encoder --features shop.yaml
    hybridrank evaluate --collection ./shop --split all --pipelines bm25,rrf,rrf+lambdamart --fold-models ./folds
    hybridrank evaluate --collection ./scifact --pipelines rrf,rrf+colbert --baseline rrf --token-vectors int8
    hybridrank evaluate --collection ./scifact --pipelines rrf --config tuned.yaml --baseline rrf
    """
    chosen = _parse(pipelines, baseline, config or [])
    for option, path in (("--json", json_file), ("--html", html_file), ("--svg", svg_file), ("--run-dir", run_dir)):
        if path and not path.parent.is_dir():
            raise typer.BadParameter(f"there is no folder {path.parent}", param_hint=option)
    folds = FoldModels.load(fold_models) if fold_models else None
    settings = PipelineSettings(
        weight=weight, rescore_window_size=window, timeout_s=budget_s, fold_models=folds, fusion=fusion
    )
    by = _parse_measures(measures, settings.size)
    feature_sets = load_feature_sets([*(features or ()), *(folds.feature_sets if folds else ())])
    try:
        result, runs, texts = asyncio.run(
            _evaluate(
                collection,
                split,
                chosen,
                baseline,
                by,
                engine,
                index,
                sidecar,
                queries,
                settings,
                feature_sets,
                token_vectors,
            )
        )
    except UnknownModel as error:
        raise typer.BadParameter(str(error), param_hint="--pipelines") from error
    if run_dir:
        run_dir.mkdir(exist_ok=True)
        for name, run in runs.items():
            write_run(run_dir / f"{name}.run", run.rankings, name)
    if json_file:
        json_file.write_text(json.dumps(result.as_json(), indent=1) + "\n", encoding="utf-8")
    if html_file:
        html_file.write_text(html_report(result, texts), encoding="utf-8")
    if svg_file:
        svg_file.write_text(quality_and_latency(result), encoding="utf-8")
    _print(result, texts if per_query else None, as_markdown=as_markdown)


def _print(result: ExperimentResult, queries: Mapping[str, str] | None, *, as_markdown: bool) -> None:
    """The table, and with `queries` those that each pipeline wins and loses most against the baseline."""
    compared = [name for name in result.pipelines if name != result.baseline] if queries else []
    if as_markdown:
        print(markdown(result_table(result)), *caption(result), sep="\n")
        for name in compared:
            print("", win_loss_caption(result, name), "", sep="\n")
            print(markdown(win_loss_table(result, name, queries or {})), end="")
        return
    tables.wide_enough(out).print(tables.results(result))
    for line in caption(result):
        out.print(line, style="dim", markup=False)
    for name in compared:
        out.print()
        out.print(win_loss_caption(result, name), markup=False)
        out.print(tables.listing(win_loss_table(result, name, queries or {})))


def _parse(pipelines: str, baseline: str, files: list[Path]) -> list[Pipeline]:
    try:
        chosen = [parse_pipeline(name.strip()) for name in pipelines.split(",")]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--pipelines") from error
    chosen += [ConfiguredPipeline.of(each.stem, load_configuration(each, err)) for each in files]
    names = [each.name for each in chosen]
    if twice := [name for name in names if names.count(name) > 1]:
        raise typer.BadParameter(f"{twice[0]!r} would be two pipelines", param_hint="--config")
    if baseline not in names:
        raise typer.BadParameter(
            f"{baseline!r} is not one of the pipelines {', '.join(names)}", param_hint="--baseline"
        )
    return chosen


def _parse_measures(names: str, found: int) -> list[str]:
    """Without repetitions; none looks further than the `found` documents that a pipeline returns."""
    try:
        chosen = list(dict.fromkeys(map(parse_measure, names.split(","))))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--measures") from error
    for name in chosen:
        if (cutoff(name) or 0) > found:
            raise typer.BadParameter(f"{name}: a pipeline returns {found} documents", param_hint="--measures")
    return chosen


async def _evaluate(
    folder: Path,
    split: str,
    pipelines: list[Pipeline],
    baseline: str,
    measures: list[str],
    engine: str,
    index: str,
    sidecar: str,
    limit: int | None,
    settings: PipelineSettings,
    feature_sets: list[FeatureSet],
    token_vectors: TokenFormat | None,
) -> tuple[ExperimentResult, dict[str, PipelineRun], dict[str, str]]:
    judged = read_collection(folder, split, err)
    queries = judged_queries(judged.queries, judged.qrels, limit)
    measure({query_id: judged.qrels[query_id] for query_id in queries}, {}, measures)  # what cannot be is told now
    if settings.fold_models:
        settings.fold_models.check(queries)
    name = index or "-".join(filter(None, (index_name(judged.name, judged.digest), token_vectors)))
    async with AsyncExitStack() as stack:
        bench = await open_bench(stack, engine or default_engine(), sidecar, pipelines, err, settings)
        models = {served for each in pipelines for model in each.models for served in settings.served(model)}
        settings = replace(settings, feature_sets=feature_sets_of(models, bench.models, feature_sets))
        if token_vectors:
            settings = replace(settings, token_vectors=stored_models(sorted(models), bench.models))
        await bench.fill(name, judged, token_vectors, settings.token_vectors)
        runs = await bench.run(name, pipelines, queries, settings)
        about = await bench.about(settings, judged.facts(queries))
    return summarise(runs, judged.qrels, baseline, about, measures), runs, queries
