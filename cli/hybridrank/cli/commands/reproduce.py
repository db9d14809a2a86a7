"""`hybridrank reproduce`: runs the experiments again, and compares each score with the expected one."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hybridrank.cli.options.json_file import JsonFileOption
from hybridrank.cli.options.shared import SidecarOption, in_folder
from hybridrank.common.counts import counted

__all__ = ["reproduce"]

NEEDS = ("embedded", "eval")

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def reproduce(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]…", help="Experiments, by the names of their files.")
    ] = None,
    collections: Annotated[
        Path | None,
        typer.Option(
            envvar="HYBRIDRANK_COLLECTIONS", help="Folder of collections in BEIR's layout.", show_default=False
        ),
    ] = None,
    experiments: Annotated[
        Path | None, typer.Option(help="Folder of experiments, a .yaml file each.", show_default="those that ship")
    ] = None,
    sidecar: SidecarOption = "auto",
    fresh: Annotated[bool, typer.Option("--fresh", help="Search again; ignore kept runs.")] = False,
    pyserini: Annotated[
        bool, typer.Option("--pyserini", help="Measure BM25 and RM3 of Pyserini on the same collections too.")
    ] = False,
    pyserini_python: Annotated[
        Path, typer.Option(help="The Python that has Pyserini.", show_default="this one")
    ] = Path(sys.executable),
    update: Annotated[
        bool, typer.Option("--update", help="Write the measured scores into the files as the new expected ones.")
    ] = False,
    json_file: JsonFileOption = None,
    page_file: Annotated[
        Path | None,
        typer.Option("--page", metavar="FILE", callback=in_folder, help="Write the page of results as Markdown."),
    ] = None,
) -> None:
    """Run the experiments again, all or those named, and mark each score OK or FAIL.

    Exits with 1 when a score is not as expected, or a collection is missing. Finished parts of an interrupted run are
    kept and not searched again, as long as documents, queries, settings, models and versions are the same.

    Examples:
    hybridrank reproduce --collections ./collections
    hybridrank reproduce scifact cranfield --collections ./collections --pyserini --page docs/reproduced.md
    hybridrank reproduce medquad --collections ./collections --fresh --update
    """
    from hybridrank.cli.actions.reproduce import show_outcome, update_expected
    from hybridrank.cli.bench import open_bench
    from hybridrank.cli.console.progress import ConsoleProgress
    from hybridrank.cli.session import default_engine
    from hybridrank.evaluation.experiments.lucene import Pyserini, pyserini_version
    from hybridrank.evaluation.experiments.served_models import UnknownModel
    from hybridrank.evaluation.reproduce.experiment_files import EXPERIMENTS, load_experiments
    from hybridrank.evaluation.reproduce.page import reproduced_page
    from hybridrank.evaluation.reproduce.reproduction import Reproduction
    from hybridrank.local_engines.jdk import find_jdk

    if collections is None:
        raise typer.BadParameter("name the folder of collections", param_hint="--collections")
    folder = experiments or EXPERIMENTS
    chosen = load_experiments(folder, names or ())
    version = pyserini_version(pyserini_python) if pyserini else ""
    reference = Pyserini(pyserini_python, find_jdk().home) if pyserini else None
    progress = ConsoleProgress(err)
    reproduction = Reproduction(
        collections,
        fresh,
        reference,
        version,
        open_bench=lambda pipelines: open_bench(default_engine(), sidecar, pipelines, progress),
        progress=progress,
        tell=show_outcome,
    )
    try:
        outcomes = asyncio.run(reproduction.run(chosen))
    except UnknownModel as error:
        err.print(f"error: {error}", markup=False)
        raise typer.Exit(1) from error
    if update:
        outcomes = [update_expected(folder, each) for each in outcomes]
    if json_file:
        json_file.write([each.as_json() for each in outcomes])
    if page_file:
        words = ["hybridrank reproduce", *(names or ()), "--collections COLLECTIONS", *["--pyserini"] * pyserini]
        page_file.write_text(reproduced_page(outcomes, " ".join(words)), encoding="utf-8")
    verdicts = [verdict for each in outcomes for verdict in each.verdicts]
    failed = sum(not verdict.ok for verdict in verdicts)
    missing = sum(not each.result for each in outcomes)
    out.print(
        f"{len(verdicts) - failed} OK, {failed} FAIL"
        + (f"; {counted(missing, 'experiment')} did not run" if missing else "")
    )
    if not all(each.ok for each in outcomes):
        raise typer.Exit(1)
