"""`hybridrank judgments`: a pool to judge, grades back into a split, and how far judges agree."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.choices import Merge
from hybridrank.cli.options import EngineOption, JsonOption, SidecarOption, in_folder
from hybridrank.common.counts import counted

__all__ = ["app"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

app = typer.Typer(
    no_args_is_help=True, help="Judge what pipelines find, and see how far judges agree.", add_completion=False
)

CollectionOption = Annotated[
    Path, typer.Option("--collection", help="Folder with corpus.jsonl and queries.jsonl (or .gz).", show_default=False)
]

FilesArgument = Annotated[
    list[Path], typer.Argument(metavar="FILE…", help="Judgment files, filled in.", exists=True, show_default=False)
]

ScaleOption = Annotated[str, typer.Option(metavar="LOW-HIGH", help="The grades there are.")]


@app.command()
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
        str, typer.Option(metavar="NAME,…", help="Run these as evaluate does, in place of runs or beside them.")
    ] = "",
    depth: Annotated[int, typer.Option(min=1, max=100, help="How much of each ranking is judged.")] = 10,
    queries: Annotated[int | None, typer.Option(min=1, help="Only the first N queries.", show_default="all")] = None,
    without: Annotated[
        str, typer.Option(metavar="SPLIT", help="Leave out what qrels/SPLIT.tsv has judged already.")
    ] = "",
    characters: Annotated[int, typer.Option(min=1, help="How much of a text is shown.")] = 1500,
    judge: Annotated[str, typer.Option(help="Who will judge: a name, or a model with the version of its prompt.")] = "",
    seed: Annotated[int, typer.Option(help="Another seed, another order of a query's documents.")] = 0,
    engine: EngineOption = "",
    sidecar: SidecarOption = "auto",
) -> None:
    """Write down what is to be judged: the heads of rankings, shuffled, without a word on who found what.

    Examples:
    hybridrank judgments pool --collection ./docs --run ./runs --out ann.jsonl --judge ann
    hybridrank judgments pool --collection ./docs --pipelines bm25,rrf+colbert --without test --out more.jsonl
    """
    from hybridrank.cli.judgments import pipelines_named, ranked_by, read_runs
    from hybridrank.cli.nothing_written import NothingWritten
    from hybridrank.cli.progress import ConsoleProgress
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


@app.command("import")
def import_(
    files: FilesArgument,
    collection: CollectionOption,
    out_file: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            callback=in_folder,
            help="The split: COLLECTION/qrels/NAME.tsv.",
            show_default=False,
        ),
    ],
    scale: ScaleOption = "0-3",
    merge: Annotated[Merge, typer.Option(help="What a document gets that several judged.")] = "majority",
    onto: Annotated[str, typer.Option(metavar="SPLIT", help="Keep what qrels/SPLIT.tsv has, and add to it.")] = "",
    partial: Annotated[bool, typer.Option("--partial", help="Leave out lines without a grade.")] = False,
) -> None:
    """Check grades and write them as a split. What is wrong is named with its line, and then nothing is written.

    Examples:
    hybridrank judgments import ann.jsonl bob.jsonl --collection ./docs --out ./docs/qrels/test.tsv
    hybridrank judgments import more.jsonl --collection ./docs --onto test --merge mean --out ./docs/qrels/test2.tsv
    """
    from hybridrank.cli.judgments import joined, judged_twice, scale_of, show_lines
    from hybridrank.cli.nothing_written import NothingWritten
    from hybridrank.cli.progress import ConsoleProgress
    from hybridrank.evaluation.collections.beir import BeirFolder, Qrels
    from hybridrank.evaluation.collections.judged import note_dangling
    from hybridrank.evaluation.judging.judgments import by_judge, merged, read_judgments, write_qrels

    if out_file.exists():
        raise typer.BadParameter(f"{out_file} is there already; name another, or delete it", param_hint="--out")
    folder = BeirFolder(collection)
    before: Qrels = folder.qrels(onto) if onto else {}
    documents = {each.doc_id: each for each in folder.documents()}
    queries = folder.queries()
    note_dangling(ConsoleProgress(err), before, queries, documents.values(), onto)
    sheet = read_judgments(files, scale_of(scale), set(queries), set(documents))
    wrong = [*sheet.wrong, *judged_twice(sheet, before, onto), *(() if partial else sheet.empty)]
    show_lines("wrong", wrong)
    if partial:
        show_lines("left out", sheet.empty)
    if wrong:
        more = "; --partial leaves lines without a grade out" if sheet.empty and not partial else ""
        err.print(f"error: nothing was written: {counted(len(wrong), 'wrong line')}{more}", markup=False)
        raise typer.Exit(1)
    if not sheet.judgments:
        raise NothingWritten("no line has a grade")
    qrels = joined(before, merged(sheet.judgments, merge))
    write_qrels(out_file, qrels)
    grades = [grade for given in qrels.values() for grade in given.values()]
    counts = ", ".join(f"{grades.count(grade)} with {grade}" for grade in sorted(set(grades)))
    judges = len(by_judge(sheet.judgments))
    source = f"{counted(len(sheet.judgments), 'grade')} of {counted(judges, 'judge')}" + (
        f" and {onto}" if onto else ""
    )
    out.print(
        f"{out_file}: {counted(len(grades), 'judgment')} of {counted(len(qrels), 'query')} ({counts}), from {source}",
        markup=False,
    )


@app.command()
def agree(files: FilesArgument, scale: ScaleOption = "0-3", as_json: JsonOption = False) -> None:
    """Say how far judges agree beyond chance: Cohen's kappa of every two, Krippendorff's alpha of all.

    Lines without a grade are left out. Judges are told apart by the lines' `judge`, or else by the files' names.

    Examples:
    hybridrank judgments agree ann.jsonl bob.jsonl
    hybridrank judgments agree ann.jsonl bob.jsonl model.jsonl --scale 0-2 --json
    """
    from hybridrank.cli import tables
    from hybridrank.cli.judgments import scale_of, show_lines
    from hybridrank.evaluation.collections.beir import CollectionError
    from hybridrank.evaluation.judging.agreement_report import (
        CAVEAT,
        agreement_json,
        all_agree,
        confusion_table,
        pair_table,
        pairs_agree,
        shown,
    )
    from hybridrank.evaluation.judging.judgments import by_judge, read_judgments

    grades = scale_of(scale)
    sheet = read_judgments(files, grades)
    show_lines("wrong", sheet.wrong)
    if sheet.wrong:
        err.print(f"error: {counted(len(sheet.wrong), 'wrong line')}", markup=False)
        raise typer.Exit(1)
    judged = by_judge(sheet.judgments)
    pairs = pairs_agree(judged, grades)
    if not pairs:
        names = ", ".join(judged) or "none"
        raise CollectionError(f"no document was judged by two judges; there are {len(judged)}: {names}")
    of_all = all_agree(judged, grades)
    if as_json:
        print(json.dumps(agreement_json(pairs, of_all, grades)))
        return
    console = tables.wide_enough(out)
    console.print(tables.listing(pair_table(pairs)))
    if len(pairs) == 1:
        console.print(tables.listing(confusion_table(pairs[0], grades)))
    console.print(
        f"Krippendorff's alpha of {len(judged)} judges: {shown(of_all['ordinal'])} with the order of grades,"
        f" {shown(of_all['nominal'])} without.",
        markup=False,
    )
    console.print(CAVEAT, style="dim", markup=False)
