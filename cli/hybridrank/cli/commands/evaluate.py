"""`hybridrank evaluate`: quality and latency of pipelines on a collection with judgments."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hybridrank.cli.options.choices import DEFAULT_CHUNKS, STANDARD_MEASURES, STANDARD_PIPELINES, TokenChoice
from hybridrank.cli.options.json_file import JsonFileOption
from hybridrank.cli.options.shared import (
    DeleteIndexOption,
    EngineOption,
    FeatureSetsOption,
    FilledIndexOption,
    FusionOption,
    JudgedCollectionOption,
    MaxChunksOption,
    SidecarOption,
    StrictOption,
    WeightOption,
    in_folder,
)

__all__ = ["evaluate"]

NEEDS = ("eval",)


def evaluate(
    collection: JudgedCollectionOption,
    split: Annotated[str, typer.Option(help="The judgments: qrels/SPLIT.tsv.")] = "test",
    pipelines: Annotated[
        str,
        typer.Option(
            metavar="NAME,…",
            help="bm25, knn, sparse, rrf or rrf-sparse, each with +MODEL to rescore, once or several times.",
        ),
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
    index: FilledIndexOption = "",
    delete_index: DeleteIndexOption = False,
    sidecar: SidecarOption = "auto",
    features: FeatureSetsOption = None,
    fold_models: Annotated[
        Path | None,
        typer.Option(
            help="Models of a cross-validation (`ltr train --fold-models`): each query by one that has not seen it.",
            show_default=False,
        ),
    ] = None,
    token_vectors: Annotated[
        TokenChoice | None,
        typer.Option(
            help="Store token vectors in the index in this format, and score them with late interaction; none scores"
            " texts.",
            show_default="those that the index has",
        ),
    ] = None,
    queries: Annotated[
        int | None, typer.Option(min=1, help="Only the first N judged queries.", show_default="all")
    ] = None,
    weight: WeightOption = None,
    window: Annotated[int, typer.Option(min=1, max=10_000, help="How many documents the reranker scores.")] = 50,
    max_chunks: MaxChunksOption = DEFAULT_CHUNKS,
    budget_s: Annotated[
        float, typer.Option(min=0.001, help="Time limit of reranking in seconds; after it, the fused order is used.")
    ] = 30.0,
    fusion: FusionOption = "client",
    strict: StrictOption = True,
    json_file: JsonFileOption = None,
    html_file: Annotated[
        Path | None,
        typer.Option(
            "--html",
            metavar="FILE",
            callback=in_folder,
            help="Write a page with tables, a picture, and the texts of queries.",
        ),
    ] = None,
    svg_file: Annotated[
        Path | None,
        typer.Option("--svg", metavar="FILE", callback=in_folder, help="Draw quality against latency."),
    ] = None,
    run_dir: Annotated[
        Path | None, typer.Option(callback=in_folder, help="Write a TREC run file per pipeline into this folder.")
    ] = None,
    per_query: Annotated[
        bool, typer.Option("--per-query", help="List the queries with the largest wins and losses, with their texts.")
    ] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables as Markdown.")] = False,
) -> None:
    """Measure pipelines on a collection: quality, latency, and significance of differences.

    Missing documents are encoded and written first; vectors are cached, so the next run starts at once.

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
    from hybridrank.cli.actions.evaluate import parse_measures, parse_pipelines, run_pipelines, show_result, write_runs
    from hybridrank.cli.options.feature_sets import load_feature_sets
    from hybridrank.connector import Misconfigured
    from hybridrank.evaluation.experiments.fold_models import FoldModels
    from hybridrank.evaluation.experiments.pipelines import PipelineSettings
    from hybridrank.evaluation.experiments.served_models import NoLateInteraction, UnknownModel, WrongFeatureSet
    from hybridrank.evaluation.report.html import html_report, quality_and_latency

    chosen = parse_pipelines(pipelines, baseline, config or [])
    folds = FoldModels.load(fold_models) if fold_models else None
    settings = PipelineSettings(
        weight=weight,
        rescore_window_size=window,
        timeout_s=budget_s,
        max_chunks=max_chunks,
        fold_models=folds,
        fusion=fusion,
        strict=strict,
    )
    by = parse_measures(measures, settings.size)
    feature_sets = load_feature_sets([*(features or ()), *(folds.feature_sets if folds else ())])
    try:
        result, runs, texts = asyncio.run(
            run_pipelines(
                folder=collection,
                split=split,
                pipelines=chosen,
                baseline=baseline,
                measures=by,
                engine=engine,
                index=index,
                sidecar=sidecar,
                limit=queries,
                settings=settings,
                feature_sets=feature_sets,
                packing=token_vectors,
                delete_index=delete_index,
            )
        )
    except NoLateInteraction as error:
        raise typer.BadParameter(str(error), param_hint="--token-vectors") from error
    except WrongFeatureSet as error:
        raise typer.BadParameter(str(error), param_hint="--features") from error
    except UnknownModel as error:
        raise typer.BadParameter(str(error), param_hint="--pipelines") from error
    except Misconfigured as error:
        typer.echo(f"error: {error}\n--no-strict measures the pipelines without it", err=True)
        raise typer.Exit(1) from error
    unwritten = write_runs(run_dir, runs) if run_dir else []
    if json_file:
        json_file.write(result.as_json())
    if html_file:
        html_file.write_text(html_report(result, texts), encoding="utf-8")
    if svg_file:
        svg_file.write_text(quality_and_latency(result), encoding="utf-8")
    show_result(result, texts if per_query else None, as_markdown=as_markdown)
    for reason in unwritten:
        typer.echo(f"error: {reason}", err=True)
    if unwritten:
        raise typer.Exit(1)
