"""`hybridrank tune`: the best configuration on dev, measured once on test, as a file to search with."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.choices import DEFAULT_CHUNKS, STANDARD_MEASURES
from hybridrank.cli.json_file import JsonFileOption
from hybridrank.cli.options import DeleteIndexOption, EngineOption, MaxChunksOption, SidecarOption, in_folder
from hybridrank.index_templates import DEFAULT_BOOSTS

__all__ = ["tune"]

err = Console(stderr=True, highlight=False, soft_wrap=True)


def tune(
    collection: Annotated[
        Path, typer.Option(help="Folder with corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv.", show_default=False)
    ],
    out_file: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            callback=in_folder,
            help="Where the configuration that won is written, as YAML.",
        ),
    ] = Path("tuned.yaml"),
    dev_split: Annotated[str, typer.Option(help="The judgments to choose by: qrels/SPLIT.tsv.")] = "dev",
    test_split: Annotated[str, typer.Option(help="The judgments to measure the choice by, once it is made.")] = "test",
    trials: Annotated[
        int, typer.Option(min=1, help="How many configurations to try, those of --study included.")
    ] = 200,
    seed: Annotated[int, typer.Option(help="The same seed proposes the same configurations.")] = 0,
    default: Annotated[
        str, typer.Option(metavar="PIPELINE", help="What has to be beaten: rrf, rrf+cross-encoder, bm25, …")
    ] = "rrf",
    measure: Annotated[str, typer.Option(help="What is tuned for: ndcg, mrr or map, or p, recall or err with @K.")] = (
        STANDARD_MEASURES[0]
    ),
    fields: Annotated[
        str, typer.Option(metavar="NAME,…", help="Text fields whose boosts are tuned; fewer than two: none.")
    ] = ",".join(DEFAULT_BOOSTS),
    models: Annotated[
        str, typer.Option(metavar="NAME,…|none", help="Models of the sidecar to try as rerankers, each alone.")
    ] = "colbert,cross-encoder",
    max_window: Annotated[
        int, typer.Option(min=10, max=1000, help="The most documents a reranker may score: it is what costs.")
    ] = 50,
    max_chunks: MaxChunksOption = DEFAULT_CHUNKS,
    dev_queries: Annotated[
        int | None,
        typer.Option(min=2, help="Only N queries of dev, drawn by chance and everywhere the same.", show_default="all"),
    ] = None,
    study_file: Annotated[
        Path | None,
        typer.Option(
            "--study", metavar="FILE", callback=in_folder, help="Keep trials here, and go on with those in it."
        ),
    ] = None,
    engine: EngineOption = "",
    index: Annotated[
        str, typer.Option(help="Name of the index, filled as needed.", show_default="one for this content")
    ] = "",
    delete_index: DeleteIndexOption = False,
    sidecar: SidecarOption = "auto",
    json_file: JsonFileOption = None,
) -> None:
    """Choose boosts, weights, fusion, windows and reranker on dev, and measure the choice on test.

    Test is read when the choice is made. What is not better than the default on dev, by cross-validation and a paired
    test, is not taken: the file then holds the default.

    Examples:
    hybridrank tune --collection ./scifact --out scifact.yaml
    hybridrank tune --collection ./scifact --trials 500 --study scifact.sqlite3 --default rrf+colbert --json tuning.json
    hybridrank tune --collection ./shop --models none --measure recall@50 --engine http://localhost:9200
    """
    from hybridrank.cli.bench import open_bench
    from hybridrank.cli.progress import ConsoleProgress
    from hybridrank.cli.session import default_engine
    from hybridrank.cli.tune import default_named, measure_named, show_tuned, tunes_bm25
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
