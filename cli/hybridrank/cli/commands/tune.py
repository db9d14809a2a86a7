"""`hybridrank tune`: chooses a configuration on dev, measures it once on test, and writes it to a file."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options.choices import DEFAULT_CHUNKS, STANDARD_MEASURES
from hybridrank.cli.options.json_file import JsonFileOption
from hybridrank.cli.options.shared import (
    DeleteIndexOption,
    EngineOption,
    FilledIndexOption,
    JudgedCollectionOption,
    MaxChunksOption,
    SidecarOption,
    in_folder,
)
from hybridrank.index_templates import DEFAULT_BOOSTS

__all__ = ["tune"]

NEEDS = ("eval", "tune")

err = Console(stderr=True, highlight=False, soft_wrap=True)


def tune(
    collection: JudgedCollectionOption,
    out_file: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            callback=in_folder,
            help="The file for the best configuration, as YAML.",
        ),
    ] = Path("tuned.yaml"),
    dev_split: Annotated[str, typer.Option(help="The judgments to choose by: qrels/SPLIT.tsv.")] = "dev",
    test_split: Annotated[str, typer.Option(help="The judgments to measure the choice by, after it is made.")] = "test",
    trials: Annotated[
        int, typer.Option(min=1, help="How many configurations to try, those of --study included.")
    ] = 200,
    seed: Annotated[int, typer.Option(help="The same seed proposes the same configurations.")] = 0,
    default: Annotated[
        str, typer.Option(metavar="PIPELINE", help="The baseline to beat: rrf, rrf+cross-encoder, bm25, …")
    ] = "rrf",
    measure: Annotated[
        str, typer.Option(help="Measure to tune for: ndcg, mrr or map, or p, recall or err with @K.")
    ] = (STANDARD_MEASURES[0]),
    fields: Annotated[
        str, typer.Option(metavar="NAME,…", help="Text fields whose boosts are tuned; fewer than two: none.")
    ] = ",".join(DEFAULT_BOOSTS),
    models: Annotated[
        str, typer.Option(metavar="NAME,…|none", help="Models of the sidecar to try as rerankers, each alone.")
    ] = "colbert,cross-encoder",
    max_window: Annotated[
        int,
        typer.Option(min=10, max=1000, help="Maximum of documents that a reranker scores: the main cost."),
    ] = 50,
    max_chunks: MaxChunksOption = DEFAULT_CHUNKS,
    dev_queries: Annotated[
        int | None,
        typer.Option(min=2, help="Only N queries of dev, drawn at random but always the same.", show_default="all"),
    ] = None,
    study_file: Annotated[
        Path | None,
        typer.Option(
            "--study", metavar="FILE", callback=in_folder, help="Keep trials in this file, and continue those in it."
        ),
    ] = None,
    engine: EngineOption = "",
    index: FilledIndexOption = "",
    delete_index: DeleteIndexOption = False,
    sidecar: SidecarOption = "auto",
    json_file: JsonFileOption = None,
) -> None:
    """Choose boosts, weights, fusion, windows and reranker on dev, and measure the choice on test.

    Test is only used after the choice. If the best is not better than the default on dev, by cross-validation and a
    paired test, the file holds the default.

    Examples:
    hybridrank tune --collection ./scifact --out scifact.yaml
    hybridrank tune --collection ./scifact --trials 500 --study scifact.sqlite3 --default rrf+colbert --json tuning.json
    hybridrank tune --collection ./shop --models none --measure recall@50 --engine http://localhost:9200
    """
    from hybridrank.cli.actions.tune import default_named, measure_named, show_tuned, tunes_bm25
    from hybridrank.cli.bench import open_bench
    from hybridrank.cli.console.progress import ConsoleProgress
    from hybridrank.cli.session import default_engine
    from hybridrank.evaluation.experiments.served_models import UnknownModel
    from hybridrank.evaluation.tuning.report import winner_file
    from hybridrank.evaluation.tuning.space import Space
    from hybridrank.evaluation.tuning.tuning import Tuning

    if dev_split == test_split:
        raise typer.BadParameter(
            "is the split that is tuned on; a choice looks better there", param_hint="--test-split"
        )
    by = measure_named(measure)
    start = default_named(default, max_chunks)
    tried = tuple(dict.fromkeys(each.strip() for each in models.split(","))) if models != "none" else ()
    if start.rescore and start.rescore.model not in tried:
        tried = (*tried, start.rescore.model)
    bm25 = tunes_bm25(engine, index)
    boosted = tuple(each.strip() for each in fields.split(",") if each.strip())
    space = Space(boosted, tried, max_window, bm25, max_chunks)
    progress = ConsoleProgress(err)
    tuning = Tuning(
        folder=collection,
        dev_split=dev_split,
        test_split=test_split,
        measure=by,
        default_name=default,
        default=start,
        space=space,
        trials=trials,
        seed=seed,
        study_file=study_file,
    )
    try:
        result = asyncio.run(
            tuning.run(
                lambda pipelines: open_bench(
                    engine or default_engine(), sidecar, pipelines, progress, index=index, delete_index=delete_index
                ),
                progress,
                index,
                dev_queries,
            )
        )
    except UnknownModel as error:
        raise typer.BadParameter(str(error), param_hint="--models") from error
    source = f"hybridrank tune: {collection.resolve().name}, {dev_split}, {trials} trials, seed {seed}"
    out_file.write_text(winner_file(result.tuned, by, source), encoding="utf-8")
    if json_file:
        json_file.write(result.as_json())
    show_tuned(result, by, out_file)
