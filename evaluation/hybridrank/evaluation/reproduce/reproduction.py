"""Experiments over real collections: each pipeline is searched, or taken from a kept run, and measured."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from hybridrank.common.cache_folder import cache_folder
from hybridrank.common.progress import Progress
from hybridrank.connector.sidecar_client.model_names import models_by_name
from hybridrank.evaluation.collections.beir import BeirFolder, CollectionError
from hybridrank.evaluation.collections.judged import JudgedCollection, read_collection
from hybridrank.evaluation.experiments.bench import Bench
from hybridrank.evaluation.experiments.experiment import PipelineRun
from hybridrank.evaluation.experiments.lucene import SYSTEMS, Pyserini
from hybridrank.evaluation.experiments.pipelines import Pipeline
from hybridrank.evaluation.experiments.results import summarise
from hybridrank.evaluation.experiments.served_models import stored_models
from hybridrank.evaluation.measures.standard import STANDARD_MEASURES, Evaluation
from hybridrank.evaluation.measures.standard import evaluate as measure
from hybridrank.evaluation.reproduce.experiment_files import Experiment, sample
from hybridrank.evaluation.reproduce.kept_runs import KeptRuns, digest_of, run_key
from hybridrank.evaluation.reproduce.outcomes import Outcome

__all__ = ["Reproduction"]


@dataclass(frozen=True)
class Reproduction:
    """Folder of the collections, whether kept runs are ignored, and the external reference if one is wanted.

    `open_bench` connects engine and sidecar for some pipelines. `tell` is called with each outcome once it is known.
    """

    collections: Path
    fresh: bool
    pyserini: Pyserini | None
    pyserini_version: str
    open_bench: Callable[[Sequence[Pipeline]], AbstractAsyncContextManager[Bench]]
    progress: Progress
    tell: Callable[[Outcome], None]

    @property
    def kept(self) -> KeptRuns:
        """The runs of earlier reproductions, in the cache folder."""
        return KeptRuns(cache_folder() / "reproduced")

    async def run(self, experiments: Sequence[Experiment]) -> list[Outcome]:
        """Runs one after the other; if a collection cannot be read, its outcome says so.

        Raises UnknownModel before the first search.
        """
        outcomes = []
        async with AsyncExitStack() as stack:
            pipelines = [pipeline for each in experiments for pipeline in each.parsed]
            bench: Bench | None = None
            for number, each in enumerate(experiments, start=1):
                self.progress.note(f"{number} of {len(experiments)}: {each.name}")
                try:
                    collection = self._read(each)
                    if bench is None:
                        bench = await stack.enter_async_context(self.open_bench(pipelines))
                    outcomes.append(await self._outcome(bench, each, collection))
                except CollectionError as error:
                    outcomes.append(Outcome(each, problem=str(error)))
                self.tell(outcomes[-1])
        return outcomes

    def _read(self, experiment: Experiment) -> JudgedCollection:
        folder, left_out = self.collections / experiment.collection, experiment.without
        collection = read_collection(folder, experiment.split, self.progress)
        return collection.without(left_out, BeirFolder(folder).qrels(left_out)) if left_out else collection

    async def _outcome(self, bench: Bench, experiment: Experiment, collection: JudgedCollection) -> Outcome:
        queries = sample(collection.queries, collection.qrels, experiment.queries)
        measure({query_id: collection.qrels[query_id] for query_id in queries}, {}, STANDARD_MEASURES)
        settings, stored = experiment.settings, experiment.token_vectors
        if stored:
            models = sorted({model for each in experiment.parsed for model in each.models})
            settings = replace(settings, token_vectors=stored_models(models, bench.models))
        index, settings = bench.index_name(collection.name, collection.digest, stored), bench.settings(settings)
        known, engine = models_by_name(bench.models), await bench.engine.info()
        runs: dict[str, PipelineRun] = {}
        is_filled = False
        for each in experiment.parsed:
            key = run_key(each, collection.digest, queries, settings, stored, known, engine)
            run = None if self.fresh else self.kept.load(experiment.name, each.name, key)
            if run:
                self.progress.note(f"{each.name}: kept from a run before")
            else:
                if not is_filled:
                    await bench.fill(index, collection, stored, settings.token_vectors or ())
                    is_filled = True
                run = (await bench.run(index, [each], queries, settings))[each.name]
                self.kept.keep(experiment.name, each.name, key, run)
            runs[each.name] = run
        about = await bench.about(settings, collection.facts(queries))
        result = summarise(runs, collection.qrels, experiment.compared_with, about)
        lucene = await asyncio.to_thread(self._lucene, experiment.name, collection, queries) if self.pyserini else {}
        return Outcome(experiment, result, lucene=lucene, lucene_version=f"Pyserini {self.pyserini_version}")

    def _lucene(self, name: str, collection: JudgedCollection, queries: dict[str, str]) -> dict[str, Evaluation]:
        assert self.pyserini is not None
        key = digest_of([self.pyserini_version, collection.digest, list(queries.items()), dict(SYSTEMS)])
        kept = {} if self.fresh else {each: self.kept.load(name, each, key) for each in SYSTEMS}
        rankings = {each: run.rankings for each, run in kept.items() if run}
        if len(rankings) < len(SYSTEMS):
            with tempfile.TemporaryDirectory() as folder:
                with self.progress.step("indexing with Pyserini"):
                    self.pyserini.index(collection.documents, Path(folder))
                for each in SYSTEMS:
                    with self.progress.step(each):
                        rankings[each] = self.pyserini.search(Path(folder), queries, each)
                    self.kept.keep(name, each, key, PipelineRun(rankings[each], {}, {}))
        judged = {query_id: collection.qrels[query_id] for query_id in queries}
        return {each: measure(judged, rankings[each]) for each in SYSTEMS}
