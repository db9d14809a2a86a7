"""`hybridrank reproduce`: run the experiments again, and say of each score whether it is as expected."""

import asyncio
import json
import sys
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from evaluation.collections import CollectionError
from evaluation.experiment import PipelineRun
from evaluation.lucene import SYSTEMS, Pyserini, pyserini_version
from evaluation.measures import STANDARD_MEASURES, Evaluation
from evaluation.measures import evaluate as measure
from evaluation.reproduced import Outcome, Verdict
from evaluation.reproduced_page import reproduced_page
from evaluation.reproduced_runs import KeptRuns, digest_of, run_key
from evaluation.reproducible import EXPERIMENTS, Experiment, load_experiments, sample, write_expected
from evaluation.results import summarise
from hybridrank.experiments import Bench, JudgedCollection, UnknownModel, index_name, open_bench, read_collection
from hybridrank.feature_sets import by_name
from hybridrank.late_interaction import stored_models
from hybridrank.options import SidecarOption, cache_folder
from hybridrank.progress import progress
from hybridrank.session import default_engine
from local_engines.jdk import find_jdk

__all__ = ["reproduce"]

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
        Path, typer.Option(help="Folder of experiments, a .yaml file each.", show_default="those that ship")
    ] = EXPERIMENTS,
    sidecar: SidecarOption = "auto",
    fresh: Annotated[bool, typer.Option("--fresh", help="Search again what was kept from a run before.")] = False,
    pyserini: Annotated[
        bool, typer.Option("--pyserini", help="Measure BM25 and RM3 of Pyserini on the same collections too.")
    ] = False,
    pyserini_python: Annotated[
        Path, typer.Option(help="The Python that has Pyserini.", show_default="this one")
    ] = Path(sys.executable),
    update: Annotated[
        bool, typer.Option("--update", help="Write the scores that were measured into the files, as expected from now.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write everything measured, per query too.")
    ] = None,
    page_file: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Write the page of results as Markdown.")
    ] = None,
) -> None:
    """Run the experiments again, all or those named, and mark each score OK or FAIL.

    Exits with 1 when a score is not as expected, or a collection is missing. What an interrupted run had finished is
    kept and not searched again, as long as documents, queries, settings, models and versions are the same.

    Examples:
    hybridrank reproduce --collections ./collections
    hybridrank reproduce scifact cranfield --collections ./collections --pyserini --page docs/reproduced.md
    hybridrank reproduce medquad --collections ./collections --fresh --update
    """
    if collections is None:
        raise typer.BadParameter("name the folder of collections", param_hint="--collections")
    for option, path in (("--json", json_file), ("--page", page_file)):
        if path and not path.parent.is_dir():
            raise typer.BadParameter(f"there is no folder {path.parent}", param_hint=option)
    chosen = load_experiments(experiments, names or ())
    version = pyserini_version(pyserini_python) if pyserini else ""
    reference = Pyserini(pyserini_python, find_jdk().home) if pyserini else None
    command = _Reproduction(collections, fresh, reference, version)
    try:
        outcomes = asyncio.run(command.run(chosen, sidecar))
    except UnknownModel as error:
        err.print(f"error: {error}", markup=False)
        raise typer.Exit(1) from error
    if update:
        outcomes = [_updated(experiments, each) for each in outcomes]
    if json_file:
        json_file.write_text(json.dumps([each.as_json() for each in outcomes], indent=1) + "\n", encoding="utf-8")
    if page_file:
        words = ["hybridrank reproduce", *(names or ()), "--collections COLLECTIONS", *["--pyserini"] * pyserini]
        page_file.write_text(reproduced_page(outcomes, " ".join(words)), encoding="utf-8")
    verdicts = [verdict for each in outcomes for verdict in each.verdicts]
    failed = sum(not verdict.ok for verdict in verdicts)
    missing = sum(not each.result for each in outcomes)
    out.print(
        f"{len(verdicts) - failed} OK, {failed} FAIL" + (f"; {missing} experiments did not run" if missing else "")
    )
    if not all(each.ok for each in outcomes):
        raise typer.Exit(1)


@dataclass(frozen=True)
class _Reproduction:
    """Where collections lie, whether what was kept counts, and the outside reference, if one is wanted."""

    collections: Path
    fresh: bool
    pyserini: Pyserini | None
    pyserini_version: str

    @property
    def kept(self) -> KeptRuns:
        return KeptRuns(cache_folder() / "reproduced")

    async def run(self, experiments: tuple[Experiment, ...], sidecar: str) -> list[Outcome]:
        """One after the other, each told of when it is done."""
        outcomes = []
        async with AsyncExitStack() as stack:
            pipelines = [pipeline for each in experiments for pipeline in each.parsed]
            bench = await open_bench(stack, default_engine(), sidecar, pipelines, err)
            for number, each in enumerate(experiments, start=1):
                err.print(f"{number} of {len(experiments)}: {each.name}", markup=False)
                try:
                    collection = read_collection(self.collections / each.collection, each.split, err)
                    outcomes.append(await self._outcome(bench, each, collection))
                except CollectionError as error:
                    outcomes.append(Outcome(each, problem=str(error)))
                _tell(outcomes[-1])
        return outcomes

    async def _outcome(self, bench: Bench, experiment: Experiment, collection: JudgedCollection) -> Outcome:
        queries = sample(collection.queries, collection.qrels, experiment.queries)
        measure({query_id: collection.qrels[query_id] for query_id in queries}, {}, STANDARD_MEASURES)
        settings, stored = experiment.settings, experiment.token_vectors
        if stored:
            models = sorted({model for each in experiment.parsed for model in each.models})
            settings = replace(settings, token_vectors=stored_models(models, bench.models))
        index = "-".join(filter(None, (index_name(collection.name, collection.digest), stored)))
        known, engine = by_name(bench.models), await bench.engine.info()
        runs: dict[str, PipelineRun] = {}
        filled = False
        for each in experiment.parsed:
            key = run_key(each, collection.digest, queries, settings, stored, known, engine)
            run = None if self.fresh else self.kept.load(experiment.name, each.name, key)
            if run:
                err.print(f"{each.name}: kept from a run before", markup=False)
            else:
                if not filled:
                    await bench.fill(index, collection, stored, settings.token_vectors)
                    filled = True
                run = (await bench.run(index, [each], queries, settings))[each.name]
                self.kept.keep(experiment.name, each.name, key, run)
            runs[each.name] = run
        about = await bench.about(settings, collection.facts(queries))
        result = summarise(runs, collection.qrels, experiment.baseline, about)
        lucene = self._lucene(experiment.name, collection, queries) if self.pyserini else {}
        return Outcome(experiment, result, lucene=lucene, lucene_version=f"Pyserini {self.pyserini_version}")

    def _lucene(self, name: str, collection: JudgedCollection, queries: dict[str, str]) -> dict[str, Evaluation]:
        assert self.pyserini is not None
        key = digest_of([self.pyserini_version, collection.digest, list(queries.items()), dict(SYSTEMS)])
        found = {} if self.fresh else {each: self.kept.load(name, each, key) for each in SYSTEMS}
        rankings = {each: run.rankings for each, run in found.items() if run}
        if len(rankings) < len(SYSTEMS):
            with tempfile.TemporaryDirectory() as folder:
                with progress("indexing with Pyserini", err):
                    self.pyserini.index(collection.documents, Path(folder))
                for each in SYSTEMS:
                    with progress(each, err):
                        rankings[each] = self.pyserini.search(Path(folder), queries, each)
                    self.kept.keep(name, each, key, PipelineRun(rankings[each], {}, {}))
        judged = {query_id: collection.qrels[query_id] for query_id in queries}
        return {each: measure(judged, rankings[each]) for each in SYSTEMS}


def _tell(outcome: Outcome) -> None:
    name = outcome.experiment.name
    if not outcome.result:
        out.print(f"{name:<20} FAIL: {outcome.problem}", markup=False)
    for verdict in outcome.verdicts:
        out.print(f"{name:<20} {_line(verdict)}", markup=False)
    for system, each in outcome.lucene.items():
        out.print(f"{name:<20} {system:<32} {each.mean[STANDARD_MEASURES[0]]:.4f}", markup=False)


def _line(verdict: Verdict) -> str:
    if verdict.expected is None:
        return f"{verdict.pipeline:<20} got {verdict.got:.4f}  FAIL: nothing is expected yet (--update writes it)"
    judgment = "OK" if verdict.ok else "FAIL"
    return f"{verdict.pipeline:<20} expected {verdict.expected:.4f}  got {verdict.got:.4f}  {judgment}"


def _updated(folder: Path, outcome: Outcome) -> Outcome:
    """The outcome against what its file expects from now on; says what was changed."""
    expected = outcome.experiment.pipelines
    changed = {each.pipeline: each.got for each in outcome.verdicts if each.got != expected[each.pipeline]}
    if not changed:
        return outcome
    path = folder / f"{outcome.experiment.name}.yaml"
    write_expected(path, changed)
    for pipeline, value in changed.items():
        before = expected[pipeline]
        out.print(
            f"updated {path.name}: {pipeline} {'-' if before is None else f'{before:.4f}'} → {value:.4f}", markup=False
        )
    return replace(outcome, experiment=Experiment.load(path))
