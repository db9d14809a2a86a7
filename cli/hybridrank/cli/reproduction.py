"""Experiments over real collections: each pipeline searched, or taken from what was kept, and measured."""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from hybridrank.cli.experiments import Bench, JudgedCollection, open_bench, read_collection
from hybridrank.cli.feature_sets import by_name
from hybridrank.cli.late_interaction import stored_models
from hybridrank.cli.options import cache_folder
from hybridrank.cli.progress import progress
from hybridrank.cli.session import default_engine
from hybridrank.evaluation.collections.beir import CollectionError
from hybridrank.evaluation.experiments.experiment import PipelineRun
from hybridrank.evaluation.experiments.lucene import SYSTEMS, Pyserini
from hybridrank.evaluation.experiments.results import summarise
from hybridrank.evaluation.measures.standard import STANDARD_MEASURES, Evaluation
from hybridrank.evaluation.measures.standard import evaluate as measure
from hybridrank.evaluation.reproduce.experiment_files import Experiment, sample
from hybridrank.evaluation.reproduce.kept_runs import KeptRuns, digest_of, run_key
from hybridrank.evaluation.reproduce.outcomes import Outcome

__all__ = ["Reproduction"]


@dataclass(frozen=True)
class Reproduction:
    """Settings: the folder of collections, whether kept runs count, and the outside reference, if one is wanted.

    Progress goes to `console`; `tell` is called with each outcome as it is there.
    """

    collections: Path
    fresh: bool
    pyserini: Pyserini | None
    pyserini_version: str
    console: Console
    tell: Callable[[Outcome], None]

    @property
    def kept(self) -> KeptRuns:
        """Returns the runs that the cache folder holds."""
        return KeptRuns(cache_folder() / "reproduced")

    async def run(self, experiments: tuple[Experiment, ...], sidecar: str) -> list[Outcome]:
        """One after the other; one whose collection cannot be read says so. Raises UnknownModel before any."""
        outcomes = []
        async with AsyncExitStack() as stack:
            pipelines = [pipeline for each in experiments for pipeline in each.parsed]
            bench: Bench | None = None
            for number, each in enumerate(experiments, start=1):
                self.console.print(f"{number} of {len(experiments)}: {each.name}", markup=False)
                try:
                    collection = read_collection(self.collections / each.collection, each.split, self.console)
                    bench = bench or await open_bench(stack, default_engine(), sidecar, pipelines, self.console)
                    outcomes.append(await self._outcome(bench, each, collection))
                except CollectionError as error:
                    outcomes.append(Outcome(each, problem=str(error)))
                self.tell(outcomes[-1])
        return outcomes

    async def _outcome(self, bench: Bench, experiment: Experiment, collection: JudgedCollection) -> Outcome:
        queries = sample(collection.queries, collection.qrels, experiment.queries)
        measure({query_id: collection.qrels[query_id] for query_id in queries}, {}, STANDARD_MEASURES)
        settings, stored = experiment.settings, experiment.token_vectors
        if stored:
            models = sorted({model for each in experiment.parsed for model in each.models})
            settings = replace(settings, token_vectors=stored_models(models, bench.models))
        index = "-".join(filter(None, (bench.index_name(collection.name, collection.digest), stored)))
        known, engine = by_name(bench.models), await bench.engine.info()
        runs: dict[str, PipelineRun] = {}
        filled = False
        for each in experiment.parsed:
            key = run_key(each, collection.digest, queries, settings, stored, known, engine)
            run = None if self.fresh else self.kept.load(experiment.name, each.name, key)
            if run:
                self.console.print(f"{each.name}: kept from a run before", markup=False)
            else:
                if not filled:
                    await bench.fill(index, collection, stored, settings.token_vectors)
                    filled = True
                run = (await bench.run(index, [each], queries, settings))[each.name]
                self.kept.keep(experiment.name, each.name, key, run)
            runs[each.name] = run
        about = await bench.about(settings, collection.facts(queries))
        result = summarise(runs, collection.qrels, experiment.baseline, about)
        lucene = await asyncio.to_thread(self._lucene, experiment.name, collection, queries) if self.pyserini else {}
        return Outcome(experiment, result, lucene=lucene, lucene_version=f"Pyserini {self.pyserini_version}")

    def _lucene(self, name: str, collection: JudgedCollection, queries: dict[str, str]) -> dict[str, Evaluation]:
        assert self.pyserini is not None
        key = digest_of([self.pyserini_version, collection.digest, list(queries.items()), dict(SYSTEMS)])
        found = {} if self.fresh else {each: self.kept.load(name, each, key) for each in SYSTEMS}
        rankings = {each: run.rankings for each, run in found.items() if run}
        if len(rankings) < len(SYSTEMS):
            with tempfile.TemporaryDirectory() as folder:
                with progress("indexing with Pyserini", self.console):
                    self.pyserini.index(collection.documents, Path(folder))
                for each in SYSTEMS:
                    with progress(each, self.console):
                        rankings[each] = self.pyserini.search(Path(folder), queries, each)
                    self.kept.keep(name, each, key, PipelineRun(rankings[each], {}, {}))
        judged = {query_id: collection.qrels[query_id] for query_id in queries}
        return {each: measure(judged, rankings[each]) for each in SYSTEMS}
