"""`hybridrank judgments pool`: a file of documents to judge."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options.judgments import CollectionOption
from hybridrank.cli.options.shared import EngineOption, SidecarOption, in_folder
from hybridrank.common.counts import counted

__all__ = ["pool"]

NEEDS = ("eval",)

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def pool(
    collection: CollectionOption,
    out_file: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", callback=in_folder, help="The file to judge in.", show_default=False),
    ],
    run: Annotated[
        list[Path] | None,
        typer.Option(help="A TREC run, or a folder of them (evaluate --run-dir). May be repeated.", exists=True),
    ] = None,
    pipelines: Annotated[
        str, typer.Option(metavar="NAME,…", help="Pipelines to run as `evaluate` does, instead of runs or with them.")
    ] = "",
    depth: Annotated[int, typer.Option(min=1, max=100, help="Number of documents of each ranking to judge.")] = 10,
    queries: Annotated[int | None, typer.Option(min=1, help="Only the first N queries.", show_default="all")] = None,
    without: Annotated[
        str, typer.Option(metavar="SPLIT", help="Leave out documents that qrels/SPLIT.tsv has judged.")
    ] = "",
    characters: Annotated[int, typer.Option(min=1, help="Characters of a text that are shown.")] = 1500,
    judge: Annotated[str, typer.Option(help="The judge: a name, or a model with the version of its prompt.")] = "",
    seed: Annotated[int, typer.Option(help="Seed of the order of a query's documents.")] = 0,
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
) -> None:
    """Write a file to judge: the first documents of rankings, shuffled, without the names of the rankings.

    Examples:
    hybridrank judgments pool --collection ./docs --run ./runs --out ann.jsonl --judge ann
    hybridrank judgments pool --collection ./docs --pipelines bm25,rrf+colbert --without test --out more.jsonl
    """
    from hybridrank.cli.actions.judgments import ranked_by, read_runs
    from hybridrank.cli.console.progress import ConsoleProgress
    from hybridrank.cli.nothing_written import NothingWritten
    from hybridrank.cli.options.pipelines import pipelines_named
    from hybridrank.cli.session import default_engine
    from hybridrank.evaluation.collections.beir import BeirFolder, CollectionError, Qrels
    from hybridrank.evaluation.collections.judged import note_dangling
    from hybridrank.evaluation.experiments.served_models import UnknownModel
    from hybridrank.evaluation.judging.judgments import lines_to_judge
    from hybridrank.evaluation.judging.pooling import pool as pooled_of

    if out_file.exists():
        raise typer.BadParameter(f"{out_file} is there already; its grades would be lost", param_hint="--out")
    if not run and not pipelines:
        raise typer.BadParameter("name runs, or --pipelines to run", param_hint="--run")
    folder = BeirFolder(collection)
    known_queries = folder.queries()
    texts = dict(list(known_queries.items())[:queries])
    runs = read_runs(run or [])
    if pipelines:
        chosen = pipelines_named(pipelines)
        try:
            runs += asyncio.run(ranked_by(folder, chosen, texts, depth, engine or default_engine(), sidecar))
        except UnknownModel as error:
            raise typer.BadParameter(str(error), param_hint="--pipelines") from error
    documents = {each.doc_id: each for each in folder.documents()}
    judged: Qrels = folder.qrels(without) if without else {}
    note_dangling(ConsoleProgress(err), judged, known_queries, documents.values(), without)
    found = pooled_of(({each: ranked[each] for each in texts if each in ranked} for ranked in runs), depth)
    if strangers := {doc_id for doc_ids in found.values() for doc_id in doc_ids} - set(documents):
        raise CollectionError(f"{collection}: has no document {min(strangers)!r}, which a run ranks; is it another's?")
    wanted = {each: [one for one in found[each] if one not in judged.get(each, {})] for each in texts if each in found}
    lines = list(lines_to_judge(wanted, texts, documents, seed=seed, characters=characters, judge=judge))
    known = sum(map(len, found.values())) - len(lines)
    if not lines:
        why = (
            f"{counted(known, 'document')} found, all judged in {without}"
            if known
            else "no run ranks a document of these queries"
        )
        raise NothingWritten(why)
    out_file.write_text("".join(lines), encoding="utf-8")
    out.print(
        f"{out_file}: {counted(len(lines), 'document')} of {counted(sum(map(bool, wanted.values())), 'query')} to judge"
        + (f"; {known} more judged in {without}" if without else ""),
        markup=False,
    )
