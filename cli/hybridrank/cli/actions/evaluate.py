"""`hybridrank evaluate`: quality and latency of pipelines on a collection with judgments."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import typer
from rich.console import Console

from hybridrank.cli.bench import open_bench
from hybridrank.cli.console import tables
from hybridrank.cli.console.progress import ConsoleProgress
from hybridrank.cli.options.choices import TokenChoice
from hybridrank.cli.options.configurations import load_configuration
from hybridrank.cli.options.pipelines import pipelines_named
from hybridrank.cli.session import default_engine
from hybridrank.evaluation.collections.judged import judged_queries, read_collection
from hybridrank.evaluation.collections.runs import RunFileError, write_run
from hybridrank.evaluation.experiments.configuration import ConfiguredPipeline
from hybridrank.evaluation.experiments.experiment import PipelineRun
from hybridrank.evaluation.experiments.pipelines import Pipeline, PipelineSettings
from hybridrank.evaluation.experiments.results import ExperimentResult, summarise
from hybridrank.evaluation.experiments.served_models import feature_sets_of, stored_models
from hybridrank.evaluation.measures.standard import cutoff, parse_measure
from hybridrank.evaluation.measures.standard import evaluate as measure
from hybridrank.evaluation.report.tables import caption, markdown, result_table, win_loss_caption, win_loss_table
from hybridrank.ltr_features import FeatureSet

__all__ = ["parse_measures", "parse_pipelines", "run_pipelines", "show_result", "write_runs"]

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def write_runs(folder: Path, runs: Mapping[str, PipelineRun]) -> list[str]:
    """Writes a run per pipeline. Returns the reasons for runs that cannot be written, so that no result is lost."""
    folder.mkdir(exist_ok=True)
    unwritten = []
    for name, run in runs.items():
        try:
            write_run(folder / f"{name}.run", run.rankings, name)
        except RunFileError as error:
            unwritten.append(str(error))
    return unwritten


def show_result(result: ExperimentResult, queries: Mapping[str, str] | None, *, as_markdown: bool) -> None:
    """Prints the table, and with `queries` the largest wins and losses of each pipeline against the baseline."""
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


def parse_pipelines(pipelines: str, baseline: str, files: list[Path]) -> list[Pipeline]:
    """Returns the pipelines by name, then those of the files. Raises BadParameter."""
    chosen = pipelines_named(pipelines)
    chosen += [ConfiguredPipeline.of(each.stem, load_configuration(each, err)) for each in files]
    names = [each.name for each in chosen]
    if twice := [name for name in names if names.count(name) > 1]:
        raise typer.BadParameter(f"{twice[0]!r} would be two pipelines", param_hint="--config")
    if baseline not in names:
        raise typer.BadParameter(
            f"{baseline!r} is not one of the pipelines {', '.join(names)}", param_hint="--baseline"
        )
    return chosen


def parse_measures(names: str, returned: int) -> list[str]:
    """Returns the measures without repetitions. Raises BadParameter for a cutoff above `returned` documents."""
    try:
        chosen = list(dict.fromkeys(map(parse_measure, names.split(","))))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--measures") from error
    for name in chosen:
        if (cutoff(name) or 0) > returned:
            raise typer.BadParameter(f"{name}: a pipeline returns {returned} documents", param_hint="--measures")
    return chosen


async def run_pipelines(
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
    packing: TokenChoice | None,
    *,
    delete_index: bool = False,
) -> tuple[ExperimentResult, dict[str, PipelineRun], dict[str, str]]:
    """Returns the measured result, the run of each pipeline, and the texts of the searched queries."""
    progress = ConsoleProgress(err)
    judged = read_collection(folder, split, progress)
    queries = judged_queries(judged.queries, judged.qrels, limit)
    measure({query_id: judged.qrels[query_id] for query_id in queries}, {}, measures)  # fails early
    if settings.fold_models:
        settings.fold_models.check(queries)
    address = engine or default_engine()
    async with open_bench(
        address, sidecar, pipelines, progress, settings, index=index, delete_index=delete_index
    ) as bench:
        stored = None if packing is None or packing == "none" else packing
        name = index or bench.index_name(judged.name, judged.digest, stored)
        models = {served for each in pipelines for model in each.models for served in settings.served(model)}
        settings = bench.settings(settings)
        settings = replace(settings, feature_sets=feature_sets_of(models, bench.models, feature_sets))
        if packing:
            late = stored_models(sorted(models), bench.models) if stored else ()
            settings = replace(settings, token_vectors=late)
        await bench.fill(name, judged, stored, settings.token_vectors or ())
        runs = await bench.run(name, pipelines, queries, settings)
        about = await bench.about(settings, judged.facts(queries))
    return summarise(runs, judged.qrels, [baseline], about, measures), runs, queries
