"""`hybridrank tune`: options, and the output of a tuning."""

from pathlib import Path

import typer
from rich.console import Console

from hybridrank.cli.console import tables
from hybridrank.cli.options.pipelines import pipeline_named
from hybridrank.connector import Rescore
from hybridrank.evaluation.experiments.configuration import Configuration
from hybridrank.evaluation.measures.standard import cutoff, parse_measure
from hybridrank.evaluation.report.tables import caption
from hybridrank.evaluation.tuning.report import attempts_table, importance_table, verdict
from hybridrank.evaluation.tuning.tuning import SETTINGS, TuningResult

__all__ = ["default_named", "measure_named", "show_tuned", "tunes_bm25"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def show_tuned(result: TuningResult, measure: str, file: Path) -> None:
    """Prints the attempts, the verdict, the measured result, and the winner in Python."""
    tuned, console = result.tuned, tables.wide_enough(out)
    console.print(tables.listing(attempts_table(tuned, measure)))
    if result.importances:
        console.print(tables.listing(importance_table(result.importances)))
    console.print(verdict(tuned, measure), markup=False)
    console.print(tables.results(result.test))
    for line in caption(result.test):
        console.print(line, style="dim", markup=False)
    winner = tuned.winner.configuration
    console.print(f"\n{file}, in Python:\n{winner.as_python()}", markup=False)
    if winner.bm25:
        numbers = f"--k1 {winner.bm25.k1:g} --b {winner.bm25.b:g}"
        console.print(f"\nand, once for the index: hybridrank index bm25 INDEX {numbers} --engine URL", markup=False)


def tunes_bm25(engine: str, index: str) -> bool:
    """Returns True if k1 and b can be tuned; otherwise prints the reason."""
    if not engine or engine.startswith("embedded:"):
        err.print("note: BM25's k1 and b are fixed in the embedded engine, and are not tuned")
    elif index:
        err.print(
            f"note: BM25's k1 and b are not tuned, as {index} would be closed for it; leave --index out", markup=False
        )
    else:
        return True
    return False


def measure_named(name: str) -> str:
    """Returns the measure by its usual name. Raises BadParameter."""
    try:
        measure = parse_measure(name)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--measure") from error
    if (cutoff(measure) or 0) > (size := SETTINGS.size):
        raise typer.BadParameter(f"a search returns {size} documents", param_hint="--measure")
    return measure


def default_named(name: str, max_chunks: int) -> Configuration:
    """Returns the configuration of a pipeline. Raises BadParameter."""
    pipeline = pipeline_named(name, "--default")
    if len(pipeline.models) > 1:
        raise typer.BadParameter(f"{name!r} has several models; tune tries one at a time", param_hint="--default")
    rescore = Rescore(model=pipeline.models[0], max_chunks=max_chunks) if pipeline.models else None
    return Configuration(retrievers=pipeline.retrievers, rescore=rescore)
