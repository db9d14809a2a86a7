"""`hybridrank tune`: the best configuration on dev, measured once on test, as a file to search with."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from hybridrank.cli import tables
from hybridrank.cli.experiments import (
    Bench,
    JudgedCollection,
    judged_queries,
    open_bench,
    read_collection,
    tell_dangling,
)
from hybridrank.cli.feature_sets import by_name
from hybridrank.cli.progress import progress
from hybridrank.cli.startable import UnknownModel
from hybridrank.common.counts import counted
from hybridrank.connector import Rescore
from hybridrank.connector.admin.similarity import Bm25Settings, bm25_settings, change_bm25_settings
from hybridrank.connector.engines.base import Engine, rest_api
from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.evaluation.experiments.configuration import Configuration, ConfiguredPipeline
from hybridrank.evaluation.experiments.experiment import PipelineRun
from hybridrank.evaluation.experiments.pipelines import PipelineSettings, parse_pipeline
from hybridrank.evaluation.experiments.results import ExperimentResult, summarise
from hybridrank.evaluation.measures.standard import STANDARD_MEASURES, cutoff, evaluate, parse_measure
from hybridrank.evaluation.report.tables import caption
from hybridrank.evaluation.reproduce.experiment_files import sample
from hybridrank.evaluation.tuning.memory import ChangeBm25, RememberingSearch
from hybridrank.evaluation.tuning.report import attempts_table, importance_table, tuned_json, verdict
from hybridrank.evaluation.tuning.space import Space
from hybridrank.evaluation.tuning.study import importances, open_study
from hybridrank.evaluation.tuning.study import tune as search_on_dev
from hybridrank.evaluation.tuning.tune import Tuned, TuningError, measured_on

__all__ = ["Tuning", "default_named", "measure_named", "show_tuned", "tunes_bm25"]

SETTINGS = PipelineSettings(timeout_s=300)  # rankings are measured, and not what a budget leaves of them

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class _Result:
    """The choice on dev, the reason for each part of it, and the measures of default and winner on test."""

    tuned: Tuned
    importances: Mapping[str, float]
    test: ExperimentResult
    about: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return {
            "tuned_for": dict(self.about),
            **tuned_json(self.tuned),
            "importances": dict(self.importances),
            "test": self.test.as_json(),
        }


@dataclass(frozen=True)
class Tuning:
    """Options of the command."""

    folder: Path
    dev_split: str
    test_split: str
    measure: str
    default_name: str
    default: Configuration
    space: Space
    trials: int
    seed: int
    study_file: Path | None

    async def run(
        self, engine: str, index: str, sidecar: str, limit: int | None, *, delete_index: bool = False
    ) -> _Result:
        """Choose on dev, then measure on test."""
        dev = read_collection(self.folder, self.dev_split, err)
        queries = sample(dev.queries, dev.qrels, limit)
        evaluate({each: dev.qrels[each] for each in queries}, {}, [self.measure])  # what cannot be is told now
        if shared := set(queries) & set(BeirFolder(self.folder).qrels(self.test_split)):
            raise TuningError(
                f"{self.dev_split} shares {counted(len(shared), 'query')} with {self.test_split}, {min(shared)!r} for"
                " one; a choice looks better on queries it was made by"
            )
        async with AsyncExitStack() as stack:
            pipelines = [parse_pipeline(f"rrf+{model}") for model in self.space.models]
            bench = await open_bench(stack, engine, sidecar, pipelines, err, index=index, delete_index=delete_index)
            self._check_models(bench)
            name = index or bench.index_name(dev.name, dev.digest)
            await bench.fill(name, dev)
            about = await self._about(bench, dev, queries)
            study = stack.enter_context(open_study(self.study_file, self.seed, about))
            change = await stack.enter_async_context(_bm25_of(bench.engine, name)) if self.space.bm25 else None
            search = RememberingSearch(bench.engine, bench.sidecar, change)
            measured = measured_on(search, name, queries, dev.qrels, self.measure, SETTINGS)
            with progress(
                f"tuning on {counted(len(queries), 'query')}: {counted(self.trials, 'trial')}", err, self.trials
            ) as advance:
                tuned = await search_on_dev(study, self.space, self.default, measured, self.trials, advance)
            test = await self._on_test(bench, name, tuned, dev, change)
            return _Result(tuned, importances(study), test, about)

    async def _on_test(
        self, bench: Bench, name: str, tuned: Tuned, dev: JudgedCollection, change: ChangeBm25 | None
    ) -> ExperimentResult:
        """The default, and the winner where it is another, by real searches, one at a time."""
        test = replace(dev, split=self.test_split, qrels=BeirFolder(self.folder).qrels(self.test_split))
        tell_dangling(err, test.qrels, test.queries, test.documents, test.split)
        queries = judged_queries(test.queries, test.qrels)
        runs: dict[str, PipelineRun] = {}
        found = {"tuned": tuned.winner.configuration} if tuned.found else {}
        for called, configuration in ({self.default_name: self.default} | found).items():
            if change:
                await change(configuration.bm25)
            runs |= await bench.run(name, [ConfiguredPipeline.of(called, configuration)], queries, SETTINGS)
        about = await bench.about(SETTINGS, test.facts(queries))
        measures = list(dict.fromkeys([self.measure, *STANDARD_MEASURES]))
        return summarise(runs, test.qrels, self.default_name, about, measures)

    async def _about(self, bench: Bench, dev: JudgedCollection, queries: Mapping[str, str]) -> dict[str, Any]:
        """Returns everything that values on dev depend on."""
        info, known = await bench.engine.info(), by_name(bench.models)
        judged = json.dumps({each: [text, dict(dev.qrels[each])] for each, text in queries.items()}, sort_keys=True)
        return {
            "collection": {"name": dev.name, "digest": dev.digest},
            "judgments": {"split": dev.split, "digest": hashlib.sha256(judged.encode()).hexdigest()},
            "measure": self.measure,
            "space": self.space.as_json(),
            "models": {each: known[each].digest for each in ("encoder", *self.space.models)},
            "engine": {"name": info.name, "version": info.version},
        }

    def _check_models(self, bench: Bench) -> None:
        known = by_name(bench.models)
        if by_features := [each for each in self.space.models if known[each].feature_set]:
            raise UnknownModel(f"{by_features[0]} ranks by features; tune tries models that read texts")


@asynccontextmanager
async def _bm25_of(engine: Engine, index: str) -> AsyncIterator[ChangeBm25]:
    """Yields a function that changes k1 and b of the index; None, or leaving the context, restores its own."""
    cluster = rest_api(engine)
    (before,) = (await bm25_settings(cluster, index)).values()

    async def change(wanted: Bm25Settings | None) -> None:
        await change_bm25_settings(cluster, index, wanted or before)

    try:
        yield change
    finally:
        await change(None)


def show_tuned(result: _Result, measure: str, file: Path) -> None:
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
    """True if k1 and b can be tuned; prints the reason otherwise."""
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
    """The measure by its usual name. Raises BadParameter."""
    try:
        measure = parse_measure(name)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--measure") from error
    if (cutoff(measure) or 0) > (size := SETTINGS.size):
        raise typer.BadParameter(f"a search returns {size} documents", param_hint="--measure")
    return measure


def default_named(name: str, max_chunks: int) -> Configuration:
    """The configuration of a pipeline. Raises BadParameter."""
    try:
        pipeline = parse_pipeline(name)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--default") from error
    if len(pipeline.models) > 1:
        raise typer.BadParameter(f"{name!r} has several models; tune tries one at a time", param_hint="--default")
    rescore = Rescore(model=pipeline.models[0], max_chunks=max_chunks) if pipeline.models else None
    return Configuration(retrievers=pipeline.retrievers, rescore=rescore)
