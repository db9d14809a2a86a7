"""Runs of experiments that are kept on disk, so that a run of all of them that was interrupted goes on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hybridrank.connector import ModelInfo
from hybridrank.connector.types import EngineInfo
from hybridrank.evaluation.experiments.experiment import PipelineRun
from hybridrank.evaluation.experiments.pipelines import Pipeline, PipelineSettings

__all__ = ["KeptRuns", "run_key"]

ENCODER = "encoder"  # the name by which searches ask for query vectors


@dataclass(frozen=True)
class KeptRuns:
    """A folder with one file for each experiment and pipeline: the last run that was whole, and the key of it."""

    folder: Path

    def load(self, experiment: str, pipeline: str, key: str) -> PipelineRun | None:
        """The run, if the one that is kept has this key."""
        try:
            content = json.loads(self._file(experiment, pipeline).read_text(encoding="utf-8"))
            if content["key"] != key:
                return None
            run = content["run"]
            rankings = {query_id: tuple(doc_ids) for query_id, doc_ids in run["rankings"].items()}
            return PipelineRun(rankings, run["latencies_ms"], run["degraded"], run["scored"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # never written, or not by us: it can be made again

    def keep(self, experiment: str, pipeline: str, key: str, run: PipelineRun) -> None:
        """Write a run in the place of the one before, unless answers were degraded: those may do better next time."""
        if run.degraded:
            return
        path = self._file(experiment, pipeline)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.new")
        draft.write_text(json.dumps({"key": key, "run": asdict(run)}), encoding="utf-8")
        draft.replace(path)

    def _file(self, experiment: str, pipeline: str) -> Path:
        return self.folder / experiment / f"{pipeline}.json"


def run_key(
    pipeline: Pipeline,
    collection_digest: str,
    queries: Mapping[str, str],
    settings: PipelineSettings,
    token_vectors: str | None,
    models: Mapping[str, ModelInfo],
    engine: EngineInfo,
) -> str:
    """SHA-256 over all that decides a ranking: documents, queries, settings, and the programs and models at work.

    `models` has every name that leads to a model. The code counts by the version of hybridrank. What a pipeline does
    not use has no part in it: another cross-encoder leaves the run of `rrf` as it is.
    """
    used: Sequence[str] = (*([ENCODER] if "knn" in pipeline.retrievers else []), *pipeline.models)
    late = settings.token_vectors if set(settings.token_vectors) & set(pipeline.models) else ()
    of_models = ("weight", "rescore_window_size", "timeout_s", "max_chunks") if pipeline.models else ()
    shared: dict[str, Any] = settings.as_json()
    return digest_of(
        {
            "pipeline": pipeline.name,
            "collection": collection_digest,
            "queries": list(queries.items()),
            "settings": {name: shared[name] for name in ("size", "fields", "fusion", *of_models)},
            "token_vectors": [token_vectors, *late] if late else None,
            "models": {name: models[name].digest for name in used},
            "engine": [engine.name, engine.version],
            "hybridrank": version("hybridrank"),
        }
    )


def digest_of(content: Any) -> str:
    """SHA-256 over a value as JSON, keys sorted."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
