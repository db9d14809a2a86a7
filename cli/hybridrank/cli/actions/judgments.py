"""`hybridrank judgments`: pools to judge, import of grades, and agreement of judges."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer
from rich.console import Console

from hybridrank.cli.bench import open_bench
from hybridrank.cli.console.progress import ConsoleProgress
from hybridrank.common.counts import first_lines
from hybridrank.common.errors import BadLine
from hybridrank.evaluation.collections.beir import BeirFolder, Qrels
from hybridrank.evaluation.collections.runs import RunFileError, read_run
from hybridrank.evaluation.experiments.pipelines import Pipeline, PipelineSettings
from hybridrank.evaluation.judging.judgments import Scale, Sheet, parse_scale

__all__ = ["joined", "judged_twice", "ranked_by", "read_runs", "scale_of", "show_lines"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def read_runs(paths: Sequence[Path]) -> list[Mapping[str, Sequence[str]]]:
    """Returns the runs in files and folders. Raises BadParameter."""
    files = [file for path in paths for file in (sorted(path.glob("*.run")) if path.is_dir() else [path])]
    if paths and not files:
        raise typer.BadParameter(f"there is no .run file in {paths[0]}", param_hint="--run")
    try:
        return [read_run(file) for file in files]
    except RunFileError as error:
        raise typer.BadParameter(str(error), param_hint="--run") from error


def scale_of(text: str) -> Scale:
    """Returns the scale LOW-HIGH. Raises BadParameter."""
    try:
        return parse_scale(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scale") from error


async def ranked_by(
    folder: BeirFolder, pipelines: list[Pipeline], queries: Mapping[str, str], depth: int, engine: str, sidecar: str
) -> list[Mapping[str, Sequence[str]]]:
    """Returns the rankings of each pipeline; the collection is indexed first."""
    documents = list(folder.documents())
    async with open_bench(engine, sidecar, pipelines, ConsoleProgress(err)) as bench:
        name = bench.index_name(folder.name, folder.digest())
        await bench.index(name, documents)
        runs = await bench.run(name, pipelines, queries, PipelineSettings(size=depth))
    return [each.rankings for each in runs.values()]


def judged_twice(sheet: Sheet, before: Qrels, split: str) -> list[BadLine]:
    """Returns the judgments of documents that are already judged in the split."""
    return [
        BadLine(each.path, each.number, f"{each.doc_id!r} of query {each.query_id!r} is judged in {split} already")
        for each in sheet.judgments
        if each.doc_id in before.get(each.query_id, {})
    ]


def joined(before: Qrels, more: Qrels) -> Qrels:
    """Returns both together; grades of the second replace those of the first."""
    return {each: {**before.get(each, {}), **more.get(each, {})} for each in dict.fromkeys([*before, *more])}


def show_lines(label: str, lines: Sequence[BadLine]) -> None:
    """Prints the first lines on stderr, and the number of the others."""
    for line in first_lines(label, lines):
        err.print(line, markup=False)
