"""`hybridrank judgments import`: grades as a split."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options.choices import Merge
from hybridrank.cli.options.judgments import CollectionOption, FilesArgument, ScaleOption
from hybridrank.cli.options.shared import in_folder
from hybridrank.common.counts import counted

__all__ = ["import_"]

NEEDS = ("eval",)

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


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
    merge: Annotated[Merge, typer.Option(help="The grade of a document that several judged.")] = "majority",
    onto: Annotated[str, typer.Option(metavar="SPLIT", help="Add to the judgments of qrels/SPLIT.tsv.")] = "",
    partial: Annotated[bool, typer.Option("--partial", help="Leave out lines without a grade.")] = False,
) -> None:
    """Check grades and write them as a split. Wrong lines are listed, and then nothing is written.

    Examples:
    hybridrank judgments import ann.jsonl bob.jsonl --collection ./docs --out ./docs/qrels/test.tsv
    hybridrank judgments import more.jsonl --collection ./docs --onto test --merge mean --out ./docs/qrels/test2.tsv
    """
    from hybridrank.cli.actions.judgments import joined, judged_twice, scale_of, show_lines
    from hybridrank.cli.console.progress import ConsoleProgress
    from hybridrank.cli.nothing_written import NothingWritten
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
