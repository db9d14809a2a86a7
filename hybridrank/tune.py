"""`hybridrank tune`: the best configuration on dev, measured once on test, as a file to search with."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from connector import Rescore
from connector.engines.base import Engine
from connector.engines.rest import RestEngine
from connector.engines.similarity import Bm25Settings, bm25_settings, change_bm25_settings
from evaluation.collections import BeirFolder
from evaluation.configuration import Configuration, ConfiguredPipeline
from evaluation.experiment import PipelineRun
from evaluation.measures import STANDARD_MEASURES, cutoff, evaluate, parse_measure
from evaluation.pipelines import PipelineSettings, parse_pipeline
from evaluation.report import caption
from evaluation.reproducible import sample
from evaluation.results import ExperimentResult, summarise
from evaluation.tuning import Tuned, TuningError, measured_on
from evaluation.tuning_memory import ChangeBm25, RememberingSearch
from evaluation.tuning_report import attempts_table, importance_table, tuned_json, verdict, winner_file
from evaluation.tuning_space import Space
from evaluation.tuning_study import importances, open_study
from evaluation.tuning_study import tune as search_on_dev
from hybridrank import tables
from hybridrank.experiments import (
    Bench,
    JudgedCollection,
    UnknownModel,
    index_name,
    judged_queries,
    open_bench,
    read_collection,
)
from hybridrank.feature_sets import by_name
from hybridrank.options import EngineOption, SidecarOption
from hybridrank.progress import progress
from hybridrank.session import default_engine
from index_templates import DEFAULT_BOOSTS

__all__ = ["tune"]

SETTINGS = PipelineSettings(timeout_s=300)  # rankings are measured, and not what a budget leaves of them

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def tune(
    collection: Annotated[
        Path, typer.Option(help="Folder with corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv.", show_default=False)
    ],
    out_file: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where the configuration that won is written, as YAML.")
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
    dev_queries: Annotated[
        int | None,
        typer.Option(min=2, help="Only N queries of dev, drawn by chance and everywhere the same.", show_default="all"),
    ] = None,
    study_file: Annotated[
        Path | None, typer.Option("--study", metavar="FILE", help="Keep trials here, and go on with those in it.")
    ] = None,
    engine: EngineOption = "",
    index: Annotated[
        str, typer.Option(help="Name of the index, filled as needed.", show_default="one for this content")
    ] = "",
    sidecar: SidecarOption = "auto",
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write every trial, and all that was measured.")
    ] = None,
) -> None:
    """Choose boosts, weights, fusion, windows and reranker on dev, and measure the choice on test.

    Test is read when the choice is made. What is not better than the default on dev, by cross-validation and a paired
    test, is not taken: the file then holds the default.

    Examples:
    hybridrank tune --collection ./scifact --out scifact.yaml
    hybridrank tune --collection ./scifact --trials 500 --study scifact.sqlite3 --default rrf+colbert --json tuning.json
    hybridrank tune --collection ./shop --models none --measure recall@50 --engine http://localhost:9200
    """
    if dev_split == test_split:
        raise typer.BadParameter(
            "is the split that is tuned on; a choice looks better there", param_hint="--test-split"
        )
    for option, path in (("--out", out_file), ("--study", study_file), ("--json", json_file)):
        if path and not path.parent.is_dir():
            raise typer.BadParameter(f"there is no folder {path.parent}", param_hint=option)
    by = _measure(measure)
    start = _default(default)
    tried = tuple(dict.fromkeys(each.strip() for each in models.split(","))) if models != "none" else ()
    if start.rescore and start.rescore.model not in tried:
        tried = (*tried, start.rescore.model)
    bm25 = _tunes_bm25(engine, index)
    space = Space(tuple(each.strip() for each in fields.split(",") if each.strip()), tried, max_window, bm25)
    command = _Tuning(collection, dev_split, test_split, by, default, start, space, trials, seed, study_file)
    try:
        result = asyncio.run(command.run(engine or default_engine(), index, sidecar, dev_queries))
    except UnknownModel as error:
        raise typer.BadParameter(str(error), param_hint="--models") from error
    source = f"hybridrank tune: {collection.resolve().name}, {dev_split}, {trials} trials, seed {seed}"
    out_file.write_text(winner_file(result.tuned, by, source), encoding="utf-8")
    if json_file:
        json_file.write_text(json.dumps(result.as_json(), indent=1) + "\n", encoding="utf-8")
    _print(result, by, out_file)


@dataclass(frozen=True)
class _Result:
    """What was chosen on dev, what each choice decided, and what default and winner measure on test."""

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
class _Tuning:
    """What the command was asked for."""

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

    async def run(self, engine: str, index: str, sidecar: str, limit: int | None) -> _Result:
        """Choose on dev, then measure on test."""
        dev = read_collection(self.folder, self.dev_split, err)
        queries = sample(dev.queries, dev.qrels, limit)
        evaluate({each: dev.qrels[each] for each in queries}, {}, [self.measure])  # what cannot be is told now
        if shared := set(queries) & set(BeirFolder(self.folder).qrels(self.test_split)):
            raise TuningError(
                f"{len(shared)} queries of {self.dev_split} are in {self.test_split} too, {min(shared)!r} for one; a"
                " choice looks better on queries it was made by"
            )
        name = index or index_name(dev.name, dev.digest)
        async with AsyncExitStack() as stack:
            pipelines = [parse_pipeline(f"rrf+{model}") for model in self.space.models]
            bench = await open_bench(stack, engine, sidecar, pipelines, err)
            self._check_models(bench)
            await bench.fill(name, dev)
            about = await self._about(bench, dev, queries)
            study = stack.enter_context(open_study(self.study_file, self.seed, about))
            change = await stack.enter_async_context(_bm25_of(bench.engine, name)) if self.space.bm25 else None
            search = RememberingSearch(bench.engine, bench.sidecar, change)
            measured = measured_on(search, name, queries, dev.qrels, self.measure, SETTINGS)
            with progress(f"tuning on {len(queries)} queries: {self.trials} trials", err, self.trials) as advance:
                tuned = await search_on_dev(study, self.space, self.default, measured, self.trials, advance)
            test = await self._on_test(bench, name, tuned, dev, change)
            return _Result(tuned, importances(study), test, about)

    async def _on_test(
        self, bench: Bench, name: str, tuned: Tuned, dev: JudgedCollection, change: ChangeBm25 | None
    ) -> ExperimentResult:
        """The default, and the winner where it is another, by real searches, one at a time."""
        test = replace(dev, split=self.test_split, qrels=BeirFolder(self.folder).qrels(self.test_split))
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
        """What values on dev depend on."""
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
    """What changes k1 and b of the index; None, and leaving, brings back those that it has."""
    assert isinstance(engine, RestEngine)
    (before,) = (await bm25_settings(engine, index)).values()

    async def change(wanted: Bm25Settings | None) -> None:
        await change_bm25_settings(engine, index, wanted or before)

    try:
        yield change
    finally:
        await change(None)


def _print(result: _Result, measure: str, file: Path) -> None:
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


def _tunes_bm25(engine: str, index: str) -> bool:
    """Whether k1 and b can be tuned; says why not."""
    if not engine or engine.startswith("embedded:"):
        err.print("note: BM25's k1 and b are fixed in the embedded engine, and are not tuned")
    elif index:
        err.print(
            f"note: BM25's k1 and b are not tuned, as {index} would be closed for it; leave --index out", markup=False
        )
    else:
        return True
    return False


def _measure(name: str) -> str:
    try:
        measure = parse_measure(name)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--measure") from error
    if (cutoff(measure) or 0) > (size := SETTINGS.size):
        raise typer.BadParameter(f"a search returns {size} documents", param_hint="--measure")
    return measure


def _default(name: str) -> Configuration:
    try:
        pipeline = parse_pipeline(name)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--default") from error
    if len(pipeline.models) > 1:
        raise typer.BadParameter(f"{name!r} has several models; tune tries one at a time", param_hint="--default")
    rescore = Rescore(model=pipeline.models[0]) if pipeline.models else None
    return Configuration(retrievers=pipeline.retrievers, rescore=rescore)
