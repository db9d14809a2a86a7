"""A tuning: the best configuration is chosen on dev, and measured once on test."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hybridrank.common.counts import counted
from hybridrank.common.model_info import ModelInfo
from hybridrank.common.progress import Progress
from hybridrank.connector.admin.similarity import Bm25Settings, bm25_settings, change_bm25_settings
from hybridrank.connector.engines.base import Engine, rest_api
from hybridrank.connector.sidecar_client.model_names import models_by_name
from hybridrank.connector.types import DEFAULT_WEIGHT
from hybridrank.evaluation.collections.beir import BeirFolder
from hybridrank.evaluation.collections.judged import JudgedCollection, judged_queries, note_dangling, read_collection
from hybridrank.evaluation.experiments.bench import Bench
from hybridrank.evaluation.experiments.configuration import Configuration, ConfiguredPipeline
from hybridrank.evaluation.experiments.experiment import PipelineRun
from hybridrank.evaluation.experiments.pipelines import Pipeline, PipelineSettings, parse_pipeline
from hybridrank.evaluation.experiments.results import ExperimentResult, summarise
from hybridrank.evaluation.experiments.served_models import UnknownModel
from hybridrank.evaluation.measures.standard import STANDARD_MEASURES, evaluate
from hybridrank.evaluation.reproduce.experiment_files import sample
from hybridrank.evaluation.tuning.memory import ChangeBm25, RememberingSearch
from hybridrank.evaluation.tuning.report import tuned_json
from hybridrank.evaluation.tuning.space import Space
from hybridrank.evaluation.tuning.study import importances, open_study
from hybridrank.evaluation.tuning.study import tune as search_on_dev
from hybridrank.evaluation.tuning.tune import Tuned, TuningError, measured_on

__all__ = ["SETTINGS", "Tuning", "TuningResult"]

SETTINGS = PipelineSettings(timeout_s=300)  # long, so that a timeout never changes a ranking that is measured


@dataclass(frozen=True)
class TuningResult:
    """The choice on dev, the importance of each choice, and the measures of default and winner on test."""

    tuned: Tuned
    importances: Mapping[str, float]
    test: ExperimentResult
    about: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Returns all of it as JSON values."""
        return {
            "tuned_for": dict(self.about),
            **tuned_json(self.tuned),
            "importances": dict(self.importances),
            "test": self.test.as_json(),
        }


@dataclass(frozen=True)
class Tuning:
    """A space of configurations, the collection and the measure to choose by, and the default to beat."""

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
        self,
        open_bench: Callable[[Sequence[Pipeline]], AbstractAsyncContextManager[Bench]],
        progress: Progress,
        index: str = "",
        limit: int | None = None,
    ) -> TuningResult:
        """Chooses on dev, then measures on test. Without `index`, a separate index is filled for the collection."""
        dev = read_collection(self.folder, self.dev_split, progress)
        queries = sample(dev.queries, dev.qrels, limit)
        evaluate({each: dev.qrels[each] for each in queries}, {}, [self.measure])  # fails now if it cannot be measured
        if shared := set(queries) & set(BeirFolder(self.folder).qrels(self.test_split)):
            raise TuningError(
                f"{self.dev_split} shares {counted(len(shared), 'query')} with {self.test_split}, {min(shared)!r} for"
                " one; a choice looks better on queries it was made by"
            )
        async with AsyncExitStack() as stack:
            default = ConfiguredPipeline.of(self.default_name, self.default)
            pipelines = [default, *(parse_pipeline(f"rrf+{model}") for model in self.space.models)]
            bench = await stack.enter_async_context(open_bench(pipelines))
            self._check_models(bench)
            start = _with_weight(self.default, models_by_name(bench.models))
            name = index or bench.index_name(dev.name, dev.digest)
            await bench.fill(name, dev)
            about = await self._about(bench, dev, queries)
            study = stack.enter_context(open_study(self.study_file, self.seed, about))
            change = await stack.enter_async_context(_bm25_of(bench.engine, name)) if self.space.bm25 else None
            search = RememberingSearch(bench.engine, bench.sidecar, change)
            settings = bench.settings(SETTINGS)
            measured = measured_on(search, name, queries, dev.qrels, self.measure, settings)
            title = f"tuning on {counted(len(queries), 'query')}: {counted(self.trials, 'trial')}"
            with progress.step(title, self.trials) as advance:
                tuned = await search_on_dev(study, self.space, start, measured, self.trials, advance)
            test = await self._on_test(bench, name, start, tuned, dev, change)
            return TuningResult(tuned, importances(study), test, about)

    async def _on_test(
        self,
        bench: Bench,
        name: str,
        default: Configuration,
        tuned: Tuned,
        dev: JudgedCollection,
        change: ChangeBm25 | None,
    ) -> ExperimentResult:
        """Measures the default, and the winner if it is another, by real searches, one at a time."""
        test = replace(dev, split=self.test_split, qrels=BeirFolder(self.folder).qrels(self.test_split))
        note_dangling(bench.progress, test.qrels, test.queries, test.documents, test.split)
        queries, settings = judged_queries(test.queries, test.qrels), bench.settings(SETTINGS)
        runs: dict[str, PipelineRun] = {}
        winner = {"tuned": tuned.winner.configuration} if tuned.found else {}
        for name_of_run, configuration in ({self.default_name: default} | winner).items():
            if change:
                await change(configuration.bm25)
            runs |= await bench.run(name, [ConfiguredPipeline.of(name_of_run, configuration)], queries, settings)
        about = await bench.about(settings, test.facts(queries))
        measures = list(dict.fromkeys([self.measure, *STANDARD_MEASURES]))
        return summarise(runs, test.qrels, [self.default_name], about, measures)

    async def _about(self, bench: Bench, dev: JudgedCollection, queries: Mapping[str, str]) -> dict[str, Any]:
        """Returns everything that the values on dev depend on."""
        info, known = await bench.engine.info(), models_by_name(bench.models)
        sparse = [bench.sparse] if bench.sparse else []
        stored = {"token_vectors": bench.token_vectors.as_json()} if bench.token_vectors else {}
        judged = json.dumps({each: [text, dict(dev.qrels[each])] for each, text in queries.items()}, sort_keys=True)
        return {
            "collection": {"name": dev.name, "digest": dev.digest},
            "judgments": {"split": dev.split, "digest": hashlib.sha256(judged.encode()).hexdigest()},
            "measure": self.measure,
            "space": self.space.as_json(),
            "models": {each: known[each].digest for each in ("encoder", *sparse, *self.space.models)},
            "engine": {"name": info.name, "version": info.version},
            **stored,
        }

    def _check_models(self, bench: Bench) -> None:
        known = models_by_name(bench.models)
        if by_features := [each for each in self.space.models if known[each].feature_set]:
            raise UnknownModel(f"{by_features[0]} ranks by features; tune tries models that read texts")


def _with_weight(default: Configuration, models: Mapping[str, ModelInfo]) -> Configuration:
    """Returns the configuration with the weight by which its model is blended now, so that its file keeps saying it."""
    stage = default.rescore
    if not stage or stage.weight:
        return default
    weight = models[stage.model].blend_weight or DEFAULT_WEIGHT
    return default.model_copy(update={"rescore": stage.model_copy(update={"weight": weight})})


@asynccontextmanager
async def _bm25_of(engine: Engine, index: str) -> AsyncIterator[ChangeBm25]:
    """Yields a function that changes k1 and b of the index; None, and the end, restore the original values."""
    cluster = rest_api(engine)
    (before,) = (await bm25_settings(cluster, index)).values()

    async def change(wanted: Bm25Settings | None) -> None:
        await change_bm25_settings(cluster, index, wanted or before)

    try:
        yield change
    finally:
        await change(None)
